/* The probe of a container's health: asks a server in the same container, and exits with 0 if it is healthy, else 1.

     probe URL [MILLISECONDS]

   URL is `http://[HOST]:PORT[/PATH]`, `tcp://[HOST]:PORT` or `grpc://[HOST]:PORT[/SERVICE]`; see url.h. It prints one
   line that says what it found. Without MILLISECONDS it waits for 30 seconds in all, as Docker does.

   A program without a C library, and without TLS. It allocates nothing, opens no file, and prints nothing that the
   server sent but numbers. */
#include "grpc.h"
#include "http.h"
#include "system.h"
#include "url.h"

/* Compilers call these for copies and for what starts as zeros. */
void *memcpy(void *to, const void *from, unsigned long count) {
  volatile byte *out = to;
  const byte *in = from;
  while (count--) *out++ = *in++;
  return to;
}

void *memset(void *to, int value, unsigned long count) {
  volatile byte *out = to;
  while (count--) *out++ = (byte)value;
  return to;
}

#ifdef __arm__
/* And these on ARM (Run-time ABI for the ARM architecture, 4.3.4). */
void __aeabi_memcpy(void *to, const void *from, unsigned long count) { memcpy(to, from, count); }
void __aeabi_memcpy4(void *to, const void *from, unsigned long count) { memcpy(to, from, count); }
void __aeabi_memclr(void *to, unsigned long count) { memset(to, 0, count); }
void __aeabi_memclr4(void *to, unsigned long count) { memset(to, 0, count); }
#endif

#define DEFAULT_LIMIT 30000
/* Once its status is known, an answer's rest is waited for so that the server can finish: in milliseconds the most, and
   what part of the time that is left. An engine that ends the probe when the time is up would call it unhealthy. */
#define REST_LIMIT 1000
#define REST_PART 4
#define MOST_LIMIT 1000000000

enum { HEALTHY = 0, UNHEALTHY = 1 };

struct asked {
  struct url url;
  struct time until;
  int file;
};

static struct grpc answer;
static byte buffer[4096];
static char line[256];
static u32 line_length;

static void say(const char *text) {
  while (*text && line_length < sizeof line) line[line_length++] = *text++;
}

static void say_number(u32 number) {
  char digits[11], *at = digits + sizeof digits;
  *--at = 0;
  do *--at = (char)('0' + number % 10);
  while (number /= 10);
  say(at);
}

static void finish(int status) {
  say("\n");
  call(SYS_write, 1, (long)line, line_length, 0, 0, 0);
  for (;;) call(SYS_exit, status, 0, 0, 0, 0, 0);
}

/* ---- Waiting. */

static struct time now(void) {
  struct time time = {0, 0};
  call(SYS_gettime, MONOTONIC, (long)&time, 0, 0, 0, 0);
  return time;
}

static struct time after(struct time time, u32 milliseconds) {
  time.seconds += milliseconds / 1000;
  time.nanoseconds += (time_part)(milliseconds % 1000) * 1000000;
  if (time.nanoseconds >= 1000000000) {
    time.nanoseconds -= 1000000000;
    time.seconds++;
  }
  return time;
}

/* What is left until then: nothing once it is past. */
static struct time left_until(struct time then) {
  struct time time = now();
  then.seconds -= time.seconds;
  then.nanoseconds -= time.nanoseconds;
  if (then.nanoseconds < 0) {
    then.nanoseconds += 1000000000;
    then.seconds--;
  }
  if (then.seconds < 0) then.seconds = then.nanoseconds = 0;
  return then;
}

/* Waits until the socket can be read or written; what was found, 0 if the time was up. */
static int wait_for(const struct asked *asked, short events) {
  struct poll poll = {asked->file, events, 0};
  struct time left = left_until(asked->until);
  if (call(SYS_ppoll, (long)&poll, 1, (long)&left, 0, 0, 0) <= 0) return 0;
  return poll.found;
}

/* ---- The connection. */

/* 0, or the number of the error, or -1 if the time was up. */
static long connect_to(struct asked *asked, enum family family) {
  u32 port = asked->url.port;
  byte address[28] = {0};
  u32 count = family == IPV6 ? 28 : 16;
  /* The family has the byte order of the machine, all else that of the network (ip(7), ipv6(7)). */
  unsigned short number = family == IPV6 ? INET6 : INET;
  __builtin_memcpy(address, &number, 2);
  address[2] = (byte)(port >> 8);
  address[3] = (byte)port;
  if (family == IPV6) {
    address[23] = 1;
  } else if (family == IPV4) {
    for (u32 i = 0; i < 4; i++) address[4 + i] = asked->url.address[i];
  } else {
    address[4] = 127;
    address[7] = 1;
  }
  long file = call(SYS_socket, number, STREAM_SOCKET | NONBLOCK, 0, 0, 0, 0);
  if (file < 0) return -file;
  asked->file = (int)file;
  long result = call(SYS_connect, file, (long)address, count, 0, 0, 0);
  if (result == -IN_PROGRESS) {
    if (!wait_for(asked, POLL_OUT)) return -1;
    /* Asked again, a socket says what became of it (connect(2), EINPROGRESS). */
    result = call(SYS_connect, file, (long)address, count, 0, 0, 0);
  }
  return result == -IS_CONNECTED ? 0 : -result;
}

static void connect(struct asked *asked) {
  long error = connect_to(asked, asked->url.family);
  /* A server may listen on IPv6 alone. */
  if (error > 0 && asked->url.family == BOTH && connect_to(asked, IPV6) == 0) error = 0;
  if (error == 0) return;
  if (error < 0) say("not connected in time");
  else if (error == REFUSED) say("connection refused: nothing listens there");
  else {
    say("cannot connect: error ");
    say_number((u32)error);
  }
  finish(UNHEALTHY);
}

static void send(const struct asked *asked, const byte *data, u32 count) {
  while (count) {
    if (!wait_for(asked, POLL_OUT)) {
      say("the server took no request in time");
      finish(UNHEALTHY);
    }
    long sent = call(SYS_sendto, asked->file, (long)data, count, NO_SIGNAL, 0, 0);
    if (sent < 0) {
      say("the server closed the connection");
      finish(UNHEALTHY);
    }
    data += sent;
    count -= (u32)sent;
  }
}

/* Some bytes of the answer; 0 at its end, -1 if the time was up. */
static long receive(const struct asked *asked) {
  if (!wait_for(asked, POLL_IN)) return -1;
  long count = call(SYS_read, asked->file, (long)buffer, sizeof buffer, 0, 0, 0);
  return count < 0 ? 0 : count;
}

/* As `receive`, where there must be some: `total` counts them. */
static u32 more_of(const struct asked *asked, u32 *total) {
  long count = receive(asked);
  if (count < 0) say("no answer in time");
  else if (count == 0) say("the server closed the connection without an answer");
  else if ((*total += (u32)count) > MOST_ANSWER) say("the answer is too long");
  else return (u32)count;
  finish(UNHEALTHY);
  return 0;
}

/* ---- HTTP. */

static void read_rest(struct asked *asked) {
  struct time left = left_until(asked->until);
  u32 rest = REST_LIMIT;
  if (left.seconds < REST_PART * REST_LIMIT / 1000)
    rest = ((u32)left.seconds * 1000 + (u32)left.nanoseconds / 1000000) / REST_PART;
  asked->until = after(now(), rest);
  for (u32 total = 0; total < MOST_ANSWER;) {
    long count = receive(asked);
    if (count <= 0) return;
    total += (u32)count;
  }
}

static int ask_http(struct asked *asked) {
  static byte request[MOST_REST + 256];
  const struct url *url = &asked->url;
  struct writer out = {request};
  put(&out, "GET ", 4);
  if (url->rest_length) put(&out, url->rest, url->rest_length);
  else put(&out, "/", 1);
  put(&out, " HTTP/1.1\r\nHost: ", 17);
  if (*url->host == ':') put(&out, "localhost", 9);
  put(&out, url->host, url->host_length);
  const char end[] = "\r\nUser-Agent: minpack-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  put(&out, end, sizeof end - 1);
  send(asked, request, (u32)(out.at - request));
  struct http http = {0, 0, 0};
  enum http_verdict verdict = HTTP_MORE;
  for (u32 total = 0; verdict == HTTP_MORE;) {
    u32 count = more_of(asked, &total);
    verdict = http_read(&http, buffer, count);
  }
  if (verdict == HTTP_STRANGE) {
    say("the answer is not HTTP/1: is it TLS, which the probe does not speak?");
    return UNHEALTHY;
  }
  read_rest(asked);
  say("HTTP status ");
  say_number(http.status);
  return http_is_healthy(http.status) ? HEALTHY : UNHEALTHY;
}

/* ---- gRPC. */

static void say_grpc(enum grpc_verdict verdict) {
  switch (verdict) {
    case GRPC_SERVING: say("SERVING"); return;
    case GRPC_NOT_SERVING:
      /* grpc.health.v1.HealthCheckResponse.ServingStatus */
      if (answer.serving == 2) return say("NOT_SERVING");
      say("serving status ");
      return say_number(answer.serving);
    case GRPC_STATUS:
      say("grpc-status ");
      say_number(answer.status);
      if (answer.status == 5) say(": the server does not know the service");
      if (answer.status == 12) say(": the server has no health service");
      return;
    case GRPC_NO_STATUS: say("the answer has no grpc-status: it is not a gRPC server"); return;
    case GRPC_NO_MESSAGE: say("the answer has no message that can be read"); return;
    case GRPC_RESET: say("the server refused the call"); return;
    case GRPC_STRANGE: say("the answer is not HTTP/2: is it TLS, which the probe does not speak?"); return;
    default: say("the answer breaks the rules of HTTP/2");
  }
}

static int ask_grpc(struct asked *asked) {
  static byte request[MOST_REQUEST];
  const struct url *url = &asked->url;
  char authority[64];
  struct writer name = {(byte *)authority};
  if (*url->host == ':') put(&name, "localhost", 9);
  put(&name, url->host, url->host_length);
  u32 slash = url->rest_length ? 1 : 0;
  u32 count = grpc_request(request, authority, (u32)((char *)name.at - authority), url->rest + slash,
                           url->rest_length - slash);
  send(asked, request, count);
  grpc_start(&answer);
  enum grpc_verdict verdict = GRPC_MORE;
  for (u32 total = 0; verdict == GRPC_MORE;) {
    count = more_of(asked, &total);
    for (u32 i = 0; i < count && verdict == GRPC_MORE; i++) {
      verdict = grpc_byte(&answer, buffer[i]);
      if (verdict == GRPC_MORE && answer.reply_length) {
        send(asked, answer.reply, answer.reply_length);
        answer.reply_length = 0;
      }
    }
  }
  say_grpc(verdict);
  return verdict == GRPC_SERVING ? HEALTHY : UNHEALTHY;
}

/* ---- */

static int ask(struct asked *asked) {
  connect(asked);
  switch (asked->url.scheme) {
    case HTTP: return ask_http(asked);
    case GRPC: return ask_grpc(asked);
    default: say("connected"); return HEALTHY;
  }
}

__attribute__((noreturn, used)) void start(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  static struct asked asked;
  u32 limit = DEFAULT_LIMIT;
  const char *end = "";
  if (count == 3) end = read_number(arguments[2], MOST_LIMIT, &limit);
  if (count < 2 || count > 3 || !end || *end || !read_url(arguments[1], &asked.url)) {
    say("usage: probe http://:PORT/PATH|tcp://:PORT|grpc://:PORT/SERVICE [MILLISECONDS]");
    finish(UNHEALTHY);
  }
  asked.until = after(now(), limit);
  finish(ask(&asked));
  __builtin_unreachable();
}
