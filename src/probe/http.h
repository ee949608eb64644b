/* The status of an answer in HTTP/1 (RFC 9112): its first line, behind those of interim answers (1xx).

   A machine that takes one byte after another and keeps a few numbers; bodies are not looked at. */
#pragma once

#include "types.h"

enum http_verdict { HTTP_MORE, HTTP_STATUS, HTTP_STRANGE };

struct http {
  u32 at;       /* How many bytes of the line are read; MINOR and so on below. */
  u32 status;   /* That of the line, as far as it is read. */
  u32 newlines; /* How many ends of lines in a row, behind an interim answer. */
};

#define HTTP_START "HTTP/1."

static enum http_verdict http_byte(struct http *http, byte value) {
  const u32 start = sizeof HTTP_START - 1;
  if (http->status >= 1000) { /* An interim answer is passed over, to its empty line. */
    if (value == '\n') http->newlines++;
    else if (value != '\r') http->newlines = 0;
    if (http->newlines == 2) *http = (struct http){0};
    return HTTP_MORE;
  }
  u32 at = http->at++;
  int digit = value >= '0' && value <= '9';
  if (at < start) return value == (byte)HTTP_START[at] ? HTTP_MORE : HTTP_STRANGE;
  if (at == start) return digit ? HTTP_MORE : HTTP_STRANGE;
  if (at == start + 1) return value == ' ' ? HTTP_MORE : HTTP_STRANGE;
  if (at < start + 5) {
    http->status = http->status * 10 + (u32)(value - '0');
    return digit ? HTTP_MORE : HTTP_STRANGE;
  }
  if (http->status < 100 || (value != ' ' && value != '\r' && value != '\n')) return HTTP_STRANGE;
  /* Another protocol was not asked for: 101 is an answer. */
  if (http->status >= 200 || http->status == 101) return HTTP_STATUS;
  http->status += 1000;
  http->newlines = value == '\n';
  return HTTP_MORE;
}

/* Goes on with `count` bytes of an answer. */
static enum http_verdict http_read(struct http *http, const byte *data, u32 count) {
  for (u32 i = 0; i < count; i++) {
    enum http_verdict verdict = http_byte(http, data[i]);
    if (verdict != HTTP_MORE) return verdict;
  }
  return HTTP_MORE;
}

/* Redirections count, as with Kubernetes' probes: whoever answers so is there. */
static int http_is_healthy(u32 status) { return status >= 200 && status < 400; }
