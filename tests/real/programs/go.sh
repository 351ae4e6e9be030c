# Go builds, tests with its race of goroutines, and runs a server with a thousand of them.
# needs: go
# long
cd "$WORK"
export GOCACHE="$WORK/cache" GOPATH="$WORK/path" GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0
mkdir -p src/sum && cd src
printf 'module example\ngo 1.20\n' > go.mod
cat > sum/sum.go <<'HERE'
package sum

import "sync"

func Sum(n, parts int) (total int) {
	var wait sync.WaitGroup
	found := make(chan int, parts)
	for k := 0; k < parts; k++ {
		wait.Add(1)
		go func(k int) {
			defer wait.Done()
			s := 0
			for i := k; i < n; i += parts {
				s += i
			}
			found <- s
		}(k)
	}
	wait.Wait()
	close(found)
	for s := range found {
		total += s
	}
	return
}
HERE
cat > sum/sum_test.go <<'HERE'
package sum

import "testing"

func TestSum(t *testing.T)  { if Sum(1000, 10) != 499500 { t.Fatal("wrong") } }
func TestMany(t *testing.T) { t.Parallel(); if Sum(100000, 1000) != 4999950000 { t.Fatal("wrong") } }
HERE
cat > main.go <<'HERE'
package main

import (
	"example/sum"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

func main() {
	fmt.Println("sum", sum.Sum(1000000, 100))
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	var good atomic.Int32
	var wait sync.WaitGroup
	limit := make(chan bool, 50)
	for i := 0; i < 1000; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			limit <- true
			defer func() { <-limit }()
			c, err := net.Dial("tcp", server.Addr().String())
			if err != nil {
				fmt.Println(err)
				return
			}
			defer c.Close()
			sent := strings.Repeat(fmt.Sprint(i), i)
			go func() { io.WriteString(c, sent); c.(*net.TCPConn).CloseWrite() }()
			b, _ := io.ReadAll(c)
			if string(b) == sent {
				good.Add(1)
			}
		}(i)
	}
	wait.Wait()
	server.Close()
	fmt.Println("requests", good.Load())
	out, err := exec.Command("sh", "-c", "echo from a child; exit 3").Output()
	fmt.Print(string(out), err, "\n")
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	var all [][]byte
	for i := 0; i < 200; i++ {
		all = append(all, make([]byte, 1<<20))
	}
	runtime.GC()
	fmt.Println("held", len(all))
	panic("at the end")
}
HERE
go vet ./sum; echo "vet $?"; go build -o app .; echo "build $?"; ./app 2> err; echo "status $?"; head -n 1 err
go test ./... 2>&1 | sed 's/\t[0-9.]*s$//; s/(cached)//' | grep -v 'no test files'
go run . 2> /dev/null | head -n 2
