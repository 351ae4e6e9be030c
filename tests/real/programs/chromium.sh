# Chromium without a screen, with and without its sandbox: a page with a script, a picture, a PDF.
# needs: chromium setpriv useradd
# apart
# long
. "$SOURCES/lib/server.sh"
chmod 777 .; useradd -m browser
cat > p.html <<'HERE'
<p id=a></p><script>document.getElementById("a").textContent = [1, 2, 3].map((x) => x * x).join();</script>
HERE
page() { timeout 200 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$WORK/profile" "$@" "file://$WORK/p.html" 2>> log; }
page --dump-dom; echo "ended $?"
timeout 200 setpriv --reuid=browser --regid=browser --clear-groups env HOME=/home/browser \
  chromium --headless --disable-gpu --dump-dom "file://$WORK/p.html" 2> sandboxed; echo "with its sandbox $?"
page --screenshot="$WORK/c.png" --window-size=300,200; od -An -tx1 -j 16 -N 8 c.png; page --print-to-pdf="$WORK/c.pdf"; head -c 5 c.pdf; echo
grep -c 'prctl' log
