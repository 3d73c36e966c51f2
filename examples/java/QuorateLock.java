import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A lock that is held until it is closed, and renewed until then. Java 17 or newer, standard library only.
 *
 * <pre>java QuorateLock.java NAME SECONDS</pre>
 */
public final class QuorateLock implements AutoCloseable {
  /** The lease cannot be trusted any longer: another process may hold the lock. */
  public static final class LeaseLostException extends Exception {}

  /** The service said no, and repeating the request would not change that. */
  public static final class RefusedException extends Exception {
    RefusedException(String problem) {
      super(problem);
    }
  }

  private static final List<String> URLS =
      List.of(System.getenv().getOrDefault("QUORATE_URL", "http://127.0.0.1:8080").split(","));
  private static final String KEY = System.getenv("QUORATE_KEY");
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final String path;
  private final Duration ttl;
  // Our own, so that a request whose response was lost can be repeated.
  private final String leaseId = newLeaseId();
  private final Thread holder = Thread.currentThread();
  private final ScheduledExecutorService scheduler =
      Executors.newScheduledThreadPool(2, QuorateLock::daemon);
  private long fencingToken;
  /** By System.nanoTime(). */
  private long trustedUntil;
  private ScheduledFuture<?> expiry;
  private boolean closed;

  private QuorateLock(String name, Duration ttl) {
    this.path = "/v1/locks/" + name;
    this.ttl = ttl;
  }

  /**
   * Waits for a lock for up to {@code wait}, 25 s at most. The calling thread holds it: it is interrupted when the lease
   * can no longer be trusted.
   */
  public static QuorateLock acquire(String name, Duration ttl, Duration wait)
      throws IOException, InterruptedException, RefusedException {
    QuorateLock lock = new QuorateLock(name, ttl);
    long giveUp = System.nanoTime() + wait.plusSeconds(10).toNanos();
    String fields = ", \"ttlMs\": %d, \"waitMs\": %d".formatted(ttl.toMillis(), wait.toMillis());
    while (true) {
      try {
        Response response = lock.post("/acquire", fields, wait.plusSeconds(5));
        lock.fencingToken = response.number("fencingToken");
        lock.extend(response);
        lock.renewAfter(ttl.dividedBy(3));
        return lock;
      } catch (IOException noInstance) {
        if (System.nanoTime() - giveUp > 0) throw noInstance;
        Thread.sleep(500);
      }
    }
  }

  public long fencingToken() {
    return fencingToken;
  }

  /** Call it before each step of the work: after a pause it tells the truth before any timer fires. */
  public synchronized void check() throws LeaseLostException {
    if (System.nanoTime() - trustedUntil >= 0) throw new LeaseLostException();
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      expiry.cancel(false);
    }
    scheduler.shutdownNow();
    boolean interrupted = Thread.interrupted();
    try {
      post("/release", "", Duration.ofSeconds(2));
    } catch (IOException | RefusedException e) {
      // It ends by itself.
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) holder.interrupt();
  }

  private void renewAfter(Duration pause) {
    if (!scheduler.isShutdown()) scheduler.schedule(this::renew, pause.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void renew() {
    try {
      String fields = ", \"ttlMs\": %d, \"fencingToken\": %d".formatted(ttl.toMillis(), fencingToken);
      extend(post("/renew", fields, ttl.dividedBy(6)));
      renewAfter(ttl.dividedBy(3));
    } catch (IOException e) {
      renewAfter(ttl.dividedBy(20)); // the next attempt may still come in time
    } catch (RefusedException e) {
      lose();
    } catch (InterruptedException e) {
      // Closed.
    }
  }

  private synchronized void extend(Response response) {
    if (closed) return;
    long trustedMs = response.number("waitedMs") + response.number("validForMs");
    trustedUntil = response.sentAt + TimeUnit.MILLISECONDS.toNanos(trustedMs);
    if (expiry != null) expiry.cancel(false);
    expiry = scheduler.schedule(this::lose, trustedUntil - System.nanoTime(), TimeUnit.NANOSECONDS);
  }

  private synchronized void lose() {
    if (closed) return;
    trustedUntil = System.nanoTime();
    holder.interrupt();
  }

  /** When it was sent, by System.nanoTime(), and what came back. */
  private record Response(long sentAt, String body) {
    long number(String field) {
      Matcher matcher = Pattern.compile("\"" + field + "\":(\\d+)").matcher(body);
      if (!matcher.find()) throw new IllegalStateException(field + " is missing: " + body);
      return Long.parseLong(matcher.group(1));
    }
  }

  /** Asks one instance after the other. */
  private Response post(String action, String fields, Duration timeout)
      throws IOException, InterruptedException, RefusedException {
    String body = "{\"leaseId\": \"%s\"%s}".formatted(leaseId, fields);
    IOException failure = null;
    for (String url : URLS) {
      HttpRequest.Builder request =
          HttpRequest.newBuilder(URI.create(url + path + action))
              .timeout(timeout)
              .header("Content-Type", "application/json")
              .POST(BodyPublishers.ofString(body));
      if (KEY != null) request.header("Authorization", "Bearer " + KEY);
      long sentAt = System.nanoTime();
      try {
        HttpResponse<String> response = HTTP.send(request.build(), BodyHandlers.ofString());
        int status = response.statusCode();
        if (status == 200) return new Response(sentAt, response.body());
        if (status < 500 && status != 429) throw new RefusedException(response.body());
        failure = new IOException(response.body());
      } catch (IOException e) {
        failure = e;
      }
    }
    throw failure;
  }

  private static String newLeaseId() {
    byte[] bytes = new byte[32];
    new SecureRandom().nextBytes(bytes);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  private static Thread daemon(Runnable runnable) {
    Thread thread = new Thread(runnable, "lock");
    thread.setDaemon(true);
    return thread;
  }

  public static void main(String[] args) {
    try (QuorateLock lock = acquire(args[0], Duration.ofSeconds(5), Duration.ofSeconds(20))) {
      long end = System.nanoTime() + Duration.ofSeconds(Long.parseLong(args[1])).toNanos();
      while (System.nanoTime() - end < 0) {
        lock.check();
        System.out.println("working, token " + lock.fencingToken());
        Thread.sleep(200);
      }
    } catch (InterruptedException | LeaseLostException e) {
      System.err.println("the lease was lost");
      System.exit(1);
    } catch (IOException | RefusedException e) {
      System.err.println(e);
      System.exit(1);
    }
  }
}
