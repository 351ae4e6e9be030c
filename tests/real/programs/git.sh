# A repository's life.
# needs: git
cd "$WORK"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@x HOME="$WORK"
export GIT_AUTHOR_DATE="1700000000 +0000" GIT_COMMITTER_DATE="1700000000 +0000" GIT_CONFIG_NOSYSTEM=1
git init -q -b main repo 2>&1 && cd repo
for i in $(seq 40); do mkdir -p "d$((i % 5))"; seq "$i" 200 > "d$((i % 5))/f$i"; done
git add . && git commit -q -m first && git log --format='%H %s'
git checkout -q -b topic && sed -i 's/150/changed/' d1/f1 && git commit -qam topic
git checkout -q main && seq 5 > new && git add new && git commit -qm new
git merge -q -m merged topic && git log --oneline --graph | cat
git clone -q . ../clone && cd ../clone && git log --format='%h %an %s'
git diff HEAD~1 --stat | cat; git status --short; git fsck --full 2>&1; git gc -q 2>&1; git fsck 2>&1
git tag v1 && git describe --tags; git rev-parse HEAD; git archive HEAD | tar tf - | wc -l
git bundle create -q ../b.bundle --all && git bundle verify -q ../b.bundle && echo verified
git stash list; echo dirty >> new; git stash -q && git status --short; git stash pop -q && git diff --stat | cat
git blame -s new | head -n 3; git grep -n changed; git worktree add -q ../wt topic && ls ../wt
