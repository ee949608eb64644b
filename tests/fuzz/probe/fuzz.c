/* Fuzzes the readers of the health probe, built for this host with sanitizers: answers of HTTP and gRPC, and URLs.

     fuzz SECONDS SEED FILE...

   Each FILE is an answer that is changed at random, and given to the reader whole and in pieces: what is found must not
   depend on the pieces. Every input is in memory of just its size, so that a byte too many is seen. Prints how many
   inputs it tried; ends by a signal, or with 1, where one is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../src/probe/grpc.h"
#include "../../../src/probe/http.h"
#include "../../../src/probe/url.h"

#define LONGEST 40000

static unsigned long long state;

static u32 chance(u32 below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return below ? (u32)(state >> 32) % below : 0;
}

static void check(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "wrong: %s\n", what);
  abort();
}

/* ---- Inputs. */

struct input {
  byte data[LONGEST];
  u32 count;
};

static void read_file(const char *path, struct input *input) {
  FILE *file = fopen(path, "rb");
  if (!file) exit(1);
  input->count = (u32)fread(input->data, 1, LONGEST / 2, file);
  fclose(file);
}

static void insert(struct input *input, u32 at, const byte *data, u32 count) {
  if (input->count + count > LONGEST) return;
  memmove(input->data + at + count, input->data + at, input->count - at);
  memcpy(input->data + at, data, count);
  input->count += count;
}

static void erase(struct input *input, u32 at, u32 count) {
  if (count > input->count - at) count = input->count - at;
  memmove(input->data + at, input->data + at + count, input->count - at - count);
  input->count -= count;
}

static void change(struct input *input) {
  static const byte telling[] = {0, 1, 2, 4, 8, 0x0f, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xbe, 0xff, ' ', '\r', '\n', '0', '9'};
  byte copied[512];
  u32 at = chance(input->count + 1), count = 1 + chance(chance(4) ? 8 : sizeof copied);
  switch (chance(6)) {
    case 0: if (at < input->count) input->data[at] ^= (byte)(1u << chance(8)); break;
    case 1: if (at < input->count) input->data[at] = telling[chance(sizeof telling)]; break;
    case 2: if (at < input->count) input->data[at] = (byte)chance(256); break;
    case 3: erase(input, at, count); break;
    case 4:
      for (u32 i = 0; i < count; i++) copied[i] = chance(2) ? telling[chance(sizeof telling)] : (byte)chance(256);
      insert(input, at, copied, count);
      break;
    default:
      if (count > input->count) break;
      u32 from = chance(input->count - count + 1);
      memcpy(copied, input->data + from, count);
      insert(input, at, copied, count);
  }
}

/* ---- Readers. */

static int ask_http(const byte *data, u32 count, u32 piece, u32 *status) {
  struct http http = {0, 0, 0};
  enum http_verdict verdict = HTTP_MORE;
  for (u32 at = 0; at < count && verdict == HTTP_MORE; at += piece)
    verdict = http_read(&http, data + at, piece < count - at ? piece : count - at);
  *status = http.status;
  check(verdict != HTTP_STATUS || (http.status > 100 && http.status < 1000), "a status has three digits");
  return verdict;
}

static int ask_grpc(const byte *data, u32 count) {
  struct grpc *grpc = malloc(sizeof *grpc);
  memset(grpc, 0xa5, sizeof *grpc);
  grpc_start(grpc);
  enum grpc_verdict verdict = GRPC_MORE;
  u32 replies = 0;
  for (u32 at = 0; at < count && verdict == GRPC_MORE; at++) {
    verdict = grpc_byte(grpc, data[at]);
    check(grpc->reply_length <= FRAME_HEADER + 8, "a reply is short");
    replies += grpc->reply_length != 0;
    grpc->reply_length = 0;
  }
  check(replies <= count / FRAME_HEADER, "there is at most one reply for each frame");
  check(verdict != GRPC_SERVING || (grpc->status == 0 && grpc->serving == 1), "it serves if it says so");
  check(verdict != GRPC_STATUS || grpc->status < NO_STATUS, "a status was read");
  free(grpc);
  return verdict;
}

static void ask_url(const byte *data, u32 count) {
  char *text = malloc(count + 1);
  memcpy(text, data, count);
  text[count] = 0;
  struct url url;
  if (read_url(text, &url)) {
    check(url.port > 0 && url.port < 65536, "a port has 16 bits");
    check(url.rest_length <= MOST_REST, "a path is not too long");
    check(url.host_length <= 21, "a host and port are short");
    byte *request = malloc(MOST_REQUEST);
    u32 slash = url.rest_length ? 1 : 0;
    u32 size = grpc_request(request, url.host, url.host_length, url.rest + slash, url.rest_length - slash);
    check(size <= MOST_REQUEST, "a request has room");
    free(request);
  }
  free(text);
}

static void try(const struct input *input) {
  byte *data = malloc(input->count ? input->count : 1);
  memcpy(data, input->data, input->count);
  u32 one, other;
  int whole = ask_http(data, input->count, input->count ? input->count : 1, &one);
  int pieces = ask_http(data, input->count, 1 + chance(7), &other);
  check(whole == pieces && one == other, "an answer is the same in pieces");
  ask_grpc(data, input->count);
  ask_url(data, input->count);
  free(data);
}

int main(int count, char **arguments) {
  static struct input inputs[64], input;
  int files = count - 3;
  if (files < 1 || files > 64) return 1;
  for (int i = 0; i < files; i++) read_file(arguments[i + 3], &inputs[i]);
  state = 0x9e3779b97f4a7c15ull + strtoull(arguments[2], 0, 10);
  clock_t until = clock() + atol(arguments[1]) * CLOCKS_PER_SEC;
  unsigned long tried = 0;
  for (int i = 0; i < files; i++, tried++) try(&inputs[i]);
  do {
    for (int i = 0; i < 100; i++, tried++) {
      memcpy(&input, &inputs[chance((u32)files)], sizeof input);
      for (u32 changes = 1 + chance(8); changes; changes--) change(&input);
      try(&input);
    }
  } while (clock() < until);
  printf("%lu\n", tried);
  return 0;
}
