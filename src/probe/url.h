/* What is asked: `http://[HOST]:PORT[/PATH]`, `tcp://[HOST]:PORT` or `grpc://[HOST]:PORT[/SERVICE]`.

   HOST is nothing or `localhost` for this container, by IPv4 and then IPv6; an IPv4 address; or `[::1]`. Names are not
   looked up. Nothing is allocated: the parts point into the text. */
#pragma once

#include "types.h"

/* The longest path or service. */
#define MOST_REST 1024

enum scheme { HTTP, TCP, GRPC };
enum family { BOTH, IPV4, IPV6 };

struct url {
  enum scheme scheme;
  enum family family;
  byte address[4];
  u32 port;
  const char *host; /* As it is written, with the port: what a `Host` header has. */
  u32 host_length;
  const char *rest; /* Behind the port, from the slash on. */
  u32 rest_length;
};

/* The number at `text`, at most `most`; where it ends, or 0 where there is none. */
static const char *read_number(const char *text, u32 most, u32 *number) {
  u32 value = 0;
  const char *at = text;
  for (; *at >= '0' && *at <= '9'; at++) {
    value = value * 10 + (u32)(*at - '0');
    if (value > most) return 0;
  }
  *number = value;
  return at == text ? 0 : at;
}

/* Behind `word` where `text` starts with it, else 0. */
static const char *behind(const char *text, const char *word) {
  while (*word)
    if (*text++ != *word++) return 0;
  return text;
}

static const char *read_host(const char *text, struct url *url) {
  const char *next;
  url->family = BOTH;
  if (*text == ':') return text;
  if ((next = behind(text, "localhost"))) return next;
  if ((next = behind(text, "[::1]"))) {
    url->family = IPV6;
    return next;
  }
  url->family = IPV4;
  for (u32 part = 0; part < 4; part++) {
    u32 number;
    if (part && *text++ != '.') return 0;
    if (!(text = read_number(text, 255, &number))) return 0;
    url->address[part] = (byte)number;
  }
  return text;
}

/* Whether `text` is a URL that can be asked, which `url` has then. */
static int read_url(const char *text, struct url *url) {
  const char *next;
  if ((next = behind(text, "http://"))) url->scheme = HTTP;
  else if ((next = behind(text, "tcp://"))) url->scheme = TCP;
  else if ((next = behind(text, "grpc://"))) url->scheme = GRPC;
  else return 0;
  url->host = next;
  if (!(next = read_host(next, url)) || *next++ != ':') return 0;
  if (!(next = read_number(next, 65535, &url->port)) || !url->port) return 0;
  url->host_length = (u32)(next - url->host);
  url->rest = next;
  if (*next && *next != '/') return 0;
  u32 count = 0;
  for (; next[count]; count++)
    /* A blank or a control character would end the request line. */
    if (count == MOST_REST || (byte)next[count] <= ' ' || next[count] == 127) return 0;
  url->rest_length = count;
  return url->scheme != TCP || !count;
}
