/* One call of `grpc.health.v1.Health/Check` over HTTP/2 (RFC 9113) without TLS: what is sent, and what the answer says.

   The settings that are sent forbid a dynamic table of headers (RFC 7541, 4.2) and pushed streams, and leave frames at
   16 KiB. So the answer takes no more memory than `struct grpc` has. Of the headers the one that counts is grpc-status;
   of the message, field 1 of HealthCheckResponse. */
#pragma once

#include "types.h"

/* The largest frame (RFC 9113, 4.2), and the most that all headers of an answer may have. */
#define MOST_FRAME 16384
#define MOST_HEADERS 16384
/* HealthCheckResponse has two bytes; more is room for fields that it may have one day. */
#define MOST_MESSAGE 256

enum grpc_verdict {
  GRPC_MORE,
  GRPC_SERVING,
  GRPC_NOT_SERVING,  /* `serving` says what it is. */
  GRPC_STATUS,       /* The call failed: `status`. */
  GRPC_NO_STATUS,    /* The answer has none. */
  GRPC_NO_MESSAGE,   /* Or one that cannot be read. */
  GRPC_RESET,        /* The server gave up. */
  GRPC_STRANGE,      /* Not HTTP/2. */
  GRPC_WRONG,        /* HTTP/2, against its rules or the settings. */
};

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, HAS_PRIORITY = 32 };
enum { STREAM = 1, FRAME_HEADER = 9, NO_STATUS = 1000 };

struct grpc {
  /* The frame that is read: its header, then its payload. */
  byte header[FRAME_HEADER];
  byte payload[MOST_FRAME];
  u32 have; /* Of both. */
  u32 frames;
  /* The headers, which several frames may have; `open` while they are not all there. */
  byte block[MOST_HEADERS];
  u32 block_length;
  byte open, ends_stream;
  /* The answer. */
  byte message[MOST_MESSAGE];
  u32 message_length, status, serving;
  /* What is to be sent: at most one frame for each that is read. */
  byte reply[FRAME_HEADER + 8];
  u32 reply_length;
};

static void grpc_start(struct grpc *grpc) {
  grpc->have = grpc->frames = grpc->block_length = grpc->message_length = grpc->reply_length = 0;
  grpc->open = grpc->ends_stream = 0;
  grpc->status = NO_STATUS;
  grpc->serving = 0;
}

static u32 word_at(const byte *data) {
  return (u32)data[0] << 24 | (u32)data[1] << 16 | (u32)data[2] << 8 | data[3];
}

static u32 payload_length(const struct grpc *grpc) { return word_at(grpc->header) >> 8; }

/* Bytes of headers, or of a message, from `at` to `end`. */
struct reader {
  const byte *at, *end;
};

/* An integer whose first byte has it in the low `bits` (RFC 7541, 5.1); 0 where it does not end or is too large. */
static int read_integer(struct reader *reader, u32 bits, u32 *value) {
  u32 most = (1u << bits) - 1, shift = 0;
  if (reader->at == reader->end) return 0;
  *value = *reader->at++ & most;
  if (*value < most) return 1;
  for (; reader->at != reader->end && shift <= 14; shift += 7) {
    byte next = *reader->at++;
    *value += (u32)(next & 127) << shift;
    if (!(next & 128)) return 1;
  }
  return 0;
}

/* A string (RFC 7541, 5.2), as it is encoded. */
static int read_string(struct reader *reader, struct reader *text, int *huffman) {
  u32 count;
  if (reader->at == reader->end) return 0;
  *huffman = *reader->at >> 7;
  if (!read_integer(reader, 7, &count) || count > (u32)(reader->end - reader->at)) return 0;
  text->at = reader->at;
  text->end = reader->at += count;
  return 1;
}

/* Whether the name of a header is grpc-status, plain or in Huffman's code (RFC 7541, appendix B). */
static int is_status(struct reader name, int huffman) {
  static const byte plain[] = "grpc-status", coded[] = {0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f};
  const byte *wanted = huffman ? coded : plain;
  u32 count = huffman ? sizeof coded : sizeof plain - 1;
  return (u32)(name.end - name.at) == count && same(name.at, wanted, count);
}

/* Digits in Huffman's code: 0 to 2 have 5 bits from 00000 on, 3 to 9 six from 011001 on; ones fill the last byte. */
static u32 coded_number(struct reader text) {
  u32 value = 0, bits = 0, count = 0, digits = 0;
  for (;;) {
    while (count < 6 && text.at != text.end) {
      bits = bits << 8 | *text.at++;
      count += 8;
    }
    if (count < 8 && text.at == text.end && (bits & ((1u << count) - 1)) == (1u << count) - 1)
      return digits && digits <= 3 ? value : NO_STATUS;
    u32 five = count >= 5 ? bits >> (count - 5) & 31 : 31, six = count >= 6 ? bits >> (count - 6) & 63 : 0;
    if (five <= 2) {
      value = value * 10 + five;
      count -= 5;
    } else if (six >= 25 && six <= 31) {
      value = value * 10 + six - 22;
      count -= 6;
    } else {
      return NO_STATUS;
    }
    if (++digits > 3) return NO_STATUS;
  }
}

static u32 plain_number(struct reader text) {
  u32 value = 0, digits = (u32)(text.end - text.at);
  if (!digits || digits > 3) return NO_STATUS;
  for (; text.at != text.end; text.at++) {
    if (*text.at < '0' || *text.at > '9') return NO_STATUS;
    value = value * 10 + (u32)(*text.at - '0');
  }
  return value;
}

/* Looks for grpc-status among the headers (RFC 7541, 6); 0 where they cannot be read. */
static int read_headers(struct grpc *grpc) {
  struct reader reader = {grpc->block, grpc->block + grpc->block_length};
  while (reader.at != reader.end) {
    byte first = *reader.at;
    u32 index, known = 61; /* The static table has so many (appendix A). */
    if (first & 128) { /* One of the table, which has no grpc-status. */
      if (!read_integer(&reader, 7, &index) || !index || index > known) return 0;
      continue;
    }
    if ((first & 224) == 32) { /* The size of the dynamic table: none. */
      if (!read_integer(&reader, 5, &index) || index) return 0;
      continue;
    }
    struct reader name = {0, 0}, value;
    int name_coded = 0, value_coded;
    if (!read_integer(&reader, first & 64 ? 6 : 4, &index) || index > known) return 0;
    if (!index && !read_string(&reader, &name, &name_coded)) return 0;
    if (!read_string(&reader, &value, &value_coded)) return 0;
    if (!index && is_status(name, name_coded)) grpc->status = value_coded ? coded_number(value) : plain_number(value);
  }
  return 1;
}

static int read_varint(struct reader *reader, u32 *value) {
  *value = 0;
  for (u32 shift = 0; reader->at != reader->end && shift < 70; shift += 7) {
    byte next = *reader->at++;
    if (shift < 32) *value |= (u32)(next & 127) << shift;
    if (!(next & 128)) return 1;
  }
  return 0;
}

/* Field 1 of HealthCheckResponse: 1 is SERVING. Whether the message is whole and can be read. */
static int read_message(struct grpc *grpc) {
  struct reader reader = {grpc->message, grpc->message + grpc->message_length};
  /* In front of the message: whether it is compressed, and how long it is (PROTOCOL-HTTP2.md of gRPC). */
  if (grpc->message_length < 5 || grpc->message[0] || word_at(grpc->message + 1) != grpc->message_length - 5) return 0;
  reader.at += 5;
  while (reader.at != reader.end) {
    u32 tag, value, skipped = 0;
    if (!read_varint(&reader, &tag)) return 0;
    switch (tag & 7) {
      case 0:
        if (!read_varint(&reader, &value)) return 0;
        if (tag >> 3 == 1) grpc->serving = value;
        break;
      case 1: skipped = 8; break;
      case 2:
        if (!read_varint(&reader, &skipped)) return 0;
        break;
      case 5: skipped = 4; break;
      default: return 0;
    }
    if (skipped > (u32)(reader.end - reader.at)) return 0;
    reader.at += skipped;
  }
  return 1;
}

/* What the whole answer says. */
static enum grpc_verdict grpc_result(struct grpc *grpc) {
  if (grpc->status == NO_STATUS) return GRPC_NO_STATUS;
  if (grpc->status) return GRPC_STATUS;
  if (!read_message(grpc)) return GRPC_NO_MESSAGE;
  return grpc->serving == 1 ? GRPC_SERVING : GRPC_NOT_SERVING;
}

/* Takes the padding off a payload (RFC 9113, 6.1); 0 where it is longer than that. */
static int without_padding(struct reader *payload) {
  if (payload->at == payload->end) return 0;
  u32 padding = *payload->at++;
  if (padding > (u32)(payload->end - payload->at)) return 0;
  payload->end -= padding;
  return 1;
}

static void reply_with(struct grpc *grpc, byte type, const byte *payload, u32 count) {
  byte *out = grpc->reply;
  for (u32 i = 0; i < FRAME_HEADER; i++) out[i] = 0;
  out[2] = (byte)count;
  out[3] = type;
  out[4] = ACK;
  for (u32 i = 0; i < count; i++) out[FRAME_HEADER + i] = payload[i];
  grpc->reply_length = FRAME_HEADER + count;
}

static enum grpc_verdict take_data(struct grpc *grpc, struct reader payload, byte flags) {
  if (flags & PADDED && !without_padding(&payload)) return GRPC_WRONG;
  u32 count = (u32)(payload.end - payload.at);
  if (count > MOST_MESSAGE - grpc->message_length) return GRPC_NO_MESSAGE;
  for (u32 i = 0; i < count; i++) grpc->message[grpc->message_length++] = payload.at[i];
  return flags & END_STREAM ? grpc_result(grpc) : GRPC_MORE;
}

static enum grpc_verdict take_headers(struct grpc *grpc, struct reader payload, byte type, byte flags) {
  if (type == HEADERS) {
    if (flags & PADDED && !without_padding(&payload)) return GRPC_WRONG;
    if (flags & HAS_PRIORITY) {
      if (payload.end - payload.at < 5) return GRPC_WRONG;
      payload.at += 5;
    }
    grpc->ends_stream = flags & END_STREAM;
    grpc->block_length = 0;
  }
  u32 count = (u32)(payload.end - payload.at);
  if (count > MOST_HEADERS - grpc->block_length) return GRPC_WRONG;
  for (u32 i = 0; i < count; i++) grpc->block[grpc->block_length++] = payload.at[i];
  grpc->open = !(flags & END_HEADERS);
  if (grpc->open) return GRPC_MORE;
  if (!read_headers(grpc)) return GRPC_WRONG;
  return grpc->ends_stream ? grpc_result(grpc) : GRPC_MORE;
}

/* Takes a frame that is read whole. */
static enum grpc_verdict take_frame(struct grpc *grpc) {
  u32 count = payload_length(grpc), stream = word_at(grpc->header + 5) & 0x7fffffff;
  byte type = grpc->header[3], flags = grpc->header[4];
  struct reader payload = {grpc->payload, grpc->payload + count};
  /* Nothing comes between the headers of one answer (6.10), and settings before all (3.4). */
  if (grpc->open != (type == CONTINUATION)) return GRPC_WRONG;
  if (!grpc->frames++ && (type != SETTINGS || flags & ACK)) return GRPC_STRANGE;
  switch (type) {
    case DATA: return stream == STREAM ? take_data(grpc, payload, flags) : GRPC_WRONG;
    case HEADERS:
    case CONTINUATION: return stream == STREAM ? take_headers(grpc, payload, type, flags) : GRPC_WRONG;
    case RST_STREAM: return stream == STREAM ? GRPC_RESET : GRPC_WRONG;
    case SETTINGS:
      if (stream || count % 6 || (flags & ACK && count)) return GRPC_WRONG;
      if (!(flags & ACK)) reply_with(grpc, SETTINGS, 0, 0);
      return GRPC_MORE;
    case PUSH_PROMISE: return GRPC_WRONG;
    case PING:
      if (stream || count != 8) return GRPC_WRONG;
      if (!(flags & ACK)) reply_with(grpc, PING, payload.at, 8);
      return GRPC_MORE;
    case GOAWAY:
      /* A server that goes away still answers the streams that it names (6.8). */
      if (stream || count < 8) return GRPC_WRONG;
      return (word_at(payload.at) & 0x7fffffff) < STREAM || word_at(payload.at + 4) ? GRPC_RESET : GRPC_MORE;
    default: return GRPC_MORE; /* Frames of other types are passed over (5.5). */
  }
}

/* Goes on with one byte of the answer; `reply` is to be sent if `reply_length` is not 0 then. */
static enum grpc_verdict grpc_byte(struct grpc *grpc, byte value) {
  if (grpc->have < FRAME_HEADER) {
    grpc->header[grpc->have++] = value;
    if (grpc->have < FRAME_HEADER) return GRPC_MORE;
    if (payload_length(grpc) > MOST_FRAME) return grpc->frames ? GRPC_WRONG : GRPC_STRANGE;
  } else {
    grpc->payload[grpc->have++ - FRAME_HEADER] = value;
  }
  if (grpc->have < FRAME_HEADER + payload_length(grpc)) return GRPC_MORE;
  grpc->have = 0;
  return take_frame(grpc);
}

/* ---- What is sent. */

struct writer {
  byte *at;
};

static void put(struct writer *out, const void *data, u32 count) {
  const byte *from = data;
  while (count--) *out->at++ = *from++;
}

/* A header whose name is `index` of the static table, or `name`: without indexing (RFC 7541, 6.2.2). */
static void put_header(struct writer *out, u32 index, const char *name, const char *value, u32 count) {
  *out->at++ = (byte)(index < 15 ? index : 15);
  if (index >= 15) *out->at++ = (byte)(index - 15);
  if (!index) {
    u32 length = length_of(name);
    *out->at++ = (byte)length;
    put(out, name, length);
  }
  *out->at++ = (byte)count; /* Every value here is shorter than 127. */
  put(out, value, count);
}

static void put_frame(struct writer *out, u32 count, byte type, byte flags, byte stream) {
  const byte header[FRAME_HEADER] = {0, (byte)(count >> 8), (byte)count, type, flags, 0, 0, 0, stream};
  put(out, header, FRAME_HEADER);
}

/* Room for a request: its frames, its headers, and the name of a service. */
#define MOST_REQUEST (1024 + 512)

/* Writes a request about `service`, of at most 1024 bytes, to `data`; how long it is.

   `authority`, of at most 126 bytes, is what the server is called. */
static u32 grpc_request(byte *data, const char *authority, u32 authority_length, const char *service,
                               u32 service_length) {
  /* No dynamic table of headers, no pushed streams (RFC 9113, 6.5.2). */
  static const byte settings[] = {0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0};
  static const char path[] = "/grpc.health.v1.Health/Check", type[] = "application/grpc";
  struct writer out = {data};
  put(&out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
  put_frame(&out, sizeof settings, SETTINGS, 0, 0);
  put(&out, settings, sizeof settings);
  byte *frame = out.at;
  put_frame(&out, 0, HEADERS, END_HEADERS, STREAM);
  *out.at++ = 0x80 | 3; /* :method POST */
  *out.at++ = 0x80 | 6; /* :scheme http */
  put_header(&out, 4, "", path, sizeof path - 1);
  put_header(&out, 1, "", authority, authority_length);
  put_header(&out, 31, "", type, sizeof type - 1);
  put_header(&out, 0, "te", "trailers", 8);
  put_header(&out, 58, "", "minpack-probe", 13);
  struct writer again = {frame};
  put_frame(&again, (u32)(out.at - frame) - FRAME_HEADER, HEADERS, END_HEADERS, STREAM);
  /* The message: a service is field 1 of HealthCheckRequest, of type string. */
  byte field[3] = {0x0a, (byte)service_length, 0};
  u32 field_length = service_length ? 2 : 0;
  if (service_length >= 128) {
    field[1] = (byte)(service_length | 128);
    field[2] = (byte)(service_length >> 7);
    field_length = 3;
  }
  u32 message = field_length + service_length;
  const byte prefix[5] = {0, 0, 0, (byte)(message >> 8), (byte)message};
  put_frame(&out, sizeof prefix + message, DATA, END_STREAM, STREAM);
  put(&out, prefix, sizeof prefix);
  put(&out, field, field_length);
  put(&out, service, service_length);
  return (u32)(out.at - data);
}
