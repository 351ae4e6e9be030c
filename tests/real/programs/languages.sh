# Runtimes with collectors, threads and signal tricks of their own: each computes, catches a fault, uses threads.
# needs: ghc ocamlopt sbcl R guile swipl mono mcs
# long
cd "$WORK" || exit 99
cat > m.hs <<'HERE'
import Control.Concurrent
import Control.Exception
main = do
  mv <- newEmptyMVar
  mapM_ (\i -> forkIO (putMVar mv (i * i))) [1 .. 1000 :: Int]
  xs <- mapM (const (takeMVar mv)) [1 .. 1000 :: Int]
  print (sum xs)
  r <- try (evaluate (1 `div` (0 :: Int))) :: IO (Either ArithException Int)
  print r
HERE
ghc -threaded -rtsopts m.hs -o m > ghc.log 2>&1 || cat ghc.log; ./m +RTS -N2
cat > m.ml <<'HERE'
let () =
  let t = Domain.spawn (fun () -> List.fold_left (+) 0 (List.init 100000 (fun i -> i))) in
  Printf.printf "%d\n" (Domain.join t);
  let rec f n = 1 + f (n + 1) in try print_int (f 0) with Stack_overflow -> print_endline "stack overflow"
HERE
ocamlopt m.ml -o mo 2> /dev/null; ./mo
sbcl --noinform --non-interactive --eval '(progn (print (loop for i below 100000 sum i))
  (handler-case (labels ((f (n) (+ 1 (f n)))) (f 1)) (storage-condition () (print :exhausted)))
  (print (sb-thread:join-thread (sb-thread:make-thread (lambda () (loop repeat 100 do (make-array 100000)) 7))))
  (gc :full t) (save-lisp-and-die "core" :executable t :toplevel (lambda () (print 42) (terpri) (exit))))' > lisp.log 2>&1
grep -aE '^(4999950000|:EXHAUSTED) *$' lisp.log; ./core
R --vanilla -s -e 'print(summary(lm(mpg ~ wt, mtcars))$r.squared)
  print(sum(unlist(parallel::mclapply(1:4, function(i) i * i, mc.cores = 2))))
  cl <- parallel::makeCluster(2); print(parallel::parSapply(cl, 1:3, function(i) i + 1)); parallel::stopCluster(cl)'
guile -c '(use-modules (ice-9 threads)) (display (apply + (par-map (lambda (x) (* x x)) (iota 100)))) (newline)' 2> /dev/null
swipl -q -g 'findall(X, (member(X, [1, 2, 3]), X > 1), L), writeln(L), thread_create(writeln(thread), T), thread_join(T), halt'
cat > m.cs <<'HERE'
using System; using System.Linq; using System.Threading.Tasks;
class M { static void Main() {
  Console.WriteLine(Enumerable.Range(1, 100).AsParallel().Select(x => x * x).Sum());
  try { object o = null; o.ToString(); } catch (NullReferenceException) { Console.WriteLine("null"); }
  Console.WriteLine(Task.Run(() => 5).Result); } }
HERE
mcs m.cs && mono m.exe
