# javac and java: hundreds of threads, collection of garbage, child processes, sockets, files.
# needs: java javac jar
# slow
cd "$WORK"
cat > Main.java <<'HERE'
import java.io.*;
import java.net.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
public class Main {
  record Point(int x, int y) {}
  public static void main(String[] args) throws Exception {
    var pool = Executors.newFixedThreadPool(8);
    {
      var parts = IntStream.range(0, 100).mapToObj(k -> pool.submit(() -> IntStream.range(0, 10000).filter(i -> i % 100 == k).asLongStream().sum())).toList();
      long sum = 0; for (var part : parts) sum += part.get();
      System.out.println("sum " + sum);
    }
    var done = new CountDownLatch(500); var atomic = new java.util.concurrent.atomic.AtomicLong();
    for (int i = 0; i < 500; i++) { int k = i; new Thread(() -> { atomic.addAndGet(k); done.countDown(); }).start(); }
    done.await(); System.out.println("threads " + atomic.get()); pool.shutdown();
    System.out.println("pool " + pool.awaitTermination(10, TimeUnit.SECONDS));
    long kept = 0; List<byte[]> some = new ArrayList<>();
    for (int i = 0; i < 20000; i++) { var b = new byte[50000]; kept += b.length; if (i % 1000 == 0) some.add(b); }
    System.gc(); System.out.println("allocated " + kept + " kept " + some.size());
    try (var server = new ServerSocket(0)) {
      new Thread(() -> { try { while (true) { var s = server.accept(); new Thread(() -> { try (s) { s.getInputStream().transferTo(s.getOutputStream()); } catch (IOException e) {} }).start(); } } catch (IOException e) {} }).start();
      var good = IntStream.range(0, 100).parallel().filter(i -> { try (var s = new Socket("127.0.0.1", server.getLocalPort())) {
        s.getOutputStream().write(("message " + i).getBytes()); s.shutdownOutput();
        return new String(s.getInputStream().readAllBytes()).equals("message " + i); } catch (IOException e) { return false; } }).count();
      System.out.println("echoes " + good);
    }
    var child = new ProcessBuilder("sh", "-c", "cat; exit 4").start();
    try (var out = child.getOutputStream()) { out.write("child\n".getBytes()); }
    System.out.println(new BufferedReader(new InputStreamReader(child.getInputStream())).readLine() + " " + child.waitFor());
    Path p = Path.of("file"); Files.writeString(p, "text".repeat(1000));
    try (var ch = FileChannel.open(p, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      var map = ch.map(FileChannel.MapMode.READ_WRITE, 0, 4000); map.put(0, (byte) 'T'); map.force();
      System.out.println(Files.readString(p).substring(0, 8) + " " + ch.tryLock().isValid());
    }
    System.out.println(Stream.of(new Point(1, 2), new Point(3, 4)).map(Point::toString).collect(Collectors.joining(";")));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    try { recurse(0); } catch (StackOverflowError e) { System.out.println("overflow"); }
    try { int[] none = null; none[0] = 1; } catch (NullPointerException e) { System.out.println("null"); }
    System.exit(6);
  }
  static int recurse(int n) { return recurse(n + 1) + 1; }
}
HERE
javac Main.java; echo "javac $?"; java -Xmx256m Main; echo "status $?"
printf 'Main-Class: Main\n' > m && jar cfm app.jar m *.class && java -XX:+UseSerialGC -jar app.jar | tail -n 3
