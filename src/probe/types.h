/* What the parts of the probe share: the types, and bounds that no server can move. */
#pragma once

typedef unsigned char byte;
typedef unsigned int u32;

/* How many bytes of an answer are read in all, whatever a server sends. */
#define MOST_ANSWER (256 * 1024)

/* How many bytes `text` has before its NUL. */
static u32 length_of(const char *text) {
  u32 count = 0;
  while (text[count]) count++;
  return count;
}

/* Whether the `count` bytes at both places are the same. */
static int same(const byte *one, const byte *other, u32 count) {
  while (count--)
    if (*one++ != *other++) return 0;
  return 1;
}
