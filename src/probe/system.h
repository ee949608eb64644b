/* What differs from platform to platform: how a program starts, how the kernel is called, and by which numbers.

   Sources: the processor supplements of the ABI; syscall(2), "Architecture calling conventions"; the kernel's tables
   of system calls (asm/unistd.h), and socket constants where an architecture has its own (asm/socket.h). */
#pragma once

#include "types.h"

#define NONBLOCK 04000
#define STREAM_SOCKET 1
/* asm-generic/errno.h */
#define IS_CONNECTED 106
#define REFUSED 111
#define IN_PROGRESS 115

/* The kernel puts argc at the top of the stack, then argv; `start` takes their address. */
#define START(instructions) \
  __asm__(".text\n.globl _start\n.type _start, %function\n_start:\n" instructions "\n")

#if defined __x86_64__ && defined __LP64__

enum { SYS_read = 0, SYS_write = 1, SYS_socket = 41, SYS_connect = 42, SYS_sendto = 44, SYS_gettime = 228,
       SYS_exit = 231, SYS_ppoll = 271 };
START("xor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall start");

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#elif defined __i386__

enum { SYS_read = 3, SYS_write = 4, SYS_exit = 252, SYS_gettime = 265, SYS_ppoll = 309, SYS_socket = 359,
       SYS_connect = 362, SYS_sendto = 369 };
START("xor %ebp, %ebp\nmov %esp, %eax\nand $-16, %esp\nsub $12, %esp\npush %eax\ncall start");

/* The sixth argument is in %ebp, which no constraint names: all are read from memory. */
__attribute__((noinline)) static long call(long number, long a, long b, long c, long d, long e, long f) {
  long result = number, arguments[6] = {a, b, c, d, e, f};
  __asm__ volatile("push %%ebp\npush %%ebx\n"
                   "mov (%%ecx), %%ebx\nmov 8(%%ecx), %%edx\nmov 12(%%ecx), %%esi\nmov 16(%%ecx), %%edi\n"
                   "mov 20(%%ecx), %%ebp\nmov 4(%%ecx), %%ecx\n"
                   "int $0x80\npop %%ebx\npop %%ebp"
                   : "+a"(result), "=c"(number)
                   : "1"(arguments)
                   : "edx", "esi", "edi", "memory");
  return result;
}

#elif defined __aarch64__ || defined __riscv || defined __loongarch__

/* The kernel's generic table. */
enum { SYS_read = 63, SYS_write = 64, SYS_exit = 94, SYS_socket = 198, SYS_connect = 203, SYS_sendto = 206,
#if defined __riscv && __riscv_xlen == 32
       SYS_gettime = 403, SYS_ppoll = 414 };
#define TIME_IS_64 1
#else
       SYS_gettime = 113, SYS_ppoll = 73 };
#endif

#if defined __aarch64__
START("mov x29, #0\nmov x30, #0\nmov x0, sp\nand sp, x0, #-16\nb start");
#define REGISTER(n) "x" #n
#define NUMBER "x8"
#define TRAP "svc 0"
#define CLOBBERED "memory"
#elif defined __riscv
START("mv s0, zero\nmv ra, zero\nmv a0, sp\nandi sp, sp, -16\ntail start");
#define REGISTER(n) "a" #n
#define NUMBER "a7"
#define TRAP "ecall"
#define CLOBBERED "memory"
#else
START("move $fp, $zero\nmove $ra, $zero\nmove $a0, $sp\nbstrins.d $sp, $zero, 3, 0\nb start");
#define REGISTER(n) "$a" #n
#define NUMBER "$a7"
#define TRAP "syscall 0"
#define CLOBBERED "$t0", "$t1", "$t2", "$t3", "$t4", "$t5", "$t6", "$t7", "$t8", "memory"
#endif

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r0 __asm__(REGISTER(0)) = a;
  register long r1 __asm__(REGISTER(1)) = b;
  register long r2 __asm__(REGISTER(2)) = c;
  register long r3 __asm__(REGISTER(3)) = d;
  register long r4 __asm__(REGISTER(4)) = e;
  register long r5 __asm__(REGISTER(5)) = f;
  register long n __asm__(NUMBER) = number;
  __asm__ volatile(TRAP : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(n) : CLOBBERED);
  return r0;
}

#elif defined __arm__

enum { SYS_read = 3, SYS_write = 4, SYS_exit = 248, SYS_gettime = 263, SYS_socket = 281, SYS_connect = 283,
       SYS_sendto = 290, SYS_ppoll = 336 };
START("mov r11, #0\nmov lr, #0\nmov r0, sp\nand r1, sp, #-16\nmov sp, r1\nbl start");

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r0 __asm__("r0") = a;
  register long r1 __asm__("r1") = b;
  register long r2 __asm__("r2") = c;
  register long r3 __asm__("r3") = d;
  register long r4 __asm__("r4") = e;
  register long r5 __asm__("r5") = f;
  register long n __asm__("r7") = number;
  __asm__ volatile("svc 0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(n) : "memory");
  return r0;
}

#elif defined __s390x__

enum { SYS_read = 3, SYS_write = 4, SYS_exit = 248, SYS_gettime = 260, SYS_ppoll = 302, SYS_socket = 359,
       SYS_connect = 362, SYS_sendto = 369 };
/* 160 bytes are the caller's save area, whose first word is the back chain. */
START("lgr %r2, %r15\naghi %r15, -160\nxc 0(8,%r15), 0(%r15)\nbrasl %r14, start");

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r1 __asm__("r1") = number;
  register long r2 __asm__("r2") = a;
  register long r3 __asm__("r3") = b;
  register long r4 __asm__("r4") = c;
  register long r5 __asm__("r5") = d;
  register long r6 __asm__("r6") = e;
  register long r7 __asm__("r7") = f;
  __asm__ volatile("svc 0" : "+d"(r2) : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6), "d"(r7) : "memory");
  return r2;
}

#elif defined __powerpc__

enum { SYS_read = 3, SYS_write = 4, SYS_exit = 234, SYS_gettime = 246, SYS_ppoll = 281, SYS_socket = 326,
       SYS_connect = 328, SYS_sendto = 335 };
#if defined __powerpc64__
/* The kernel leaves the address of _start in r12, which gives the table of contents (ELF V2 ABI, 2.3.2.1). */
START("addis 2, 12, .TOC.-_start@ha\naddi 2, 2, .TOC.-_start@l\nmr 3, 1\nclrrdi 1, 1, 4\nli 0, 0\n"
      "stdu 0, -32(1)\nmtlr 0\nbl start\nnop");
#else
START("mr 3, 1\nclrrwi 1, 1, 4\nli 0, 0\nstwu 1, -16(1)\nstw 0, 0(1)\nmtlr 0\nbl start");
#endif

/* The overflow bit of cr0 says that the result is an error's number (arch/powerpc/kernel/entry_64.S). */
static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r0 __asm__("r0") = number;
  register long r3 __asm__("r3") = a;
  register long r4 __asm__("r4") = b;
  register long r5 __asm__("r5") = c;
  register long r6 __asm__("r6") = d;
  register long r7 __asm__("r7") = e;
  register long r8 __asm__("r8") = f;
  __asm__ volatile("sc\nbns+ 1f\nneg 3, 3\n1:"
                   : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
                   :
                   : "memory", "cr0", "r9", "r10", "r11", "r12");
  return r3;
}

#elif defined __mips__

#undef NONBLOCK
#define NONBLOCK 0200
#undef STREAM_SOCKET
#define STREAM_SOCKET 2 /* asm/socket.h: datagrams are 1. */
#undef IS_CONNECTED
#define IS_CONNECTED 133
#undef REFUSED
#define REFUSED 146
#undef IN_PROGRESS
#define IN_PROGRESS 150
#if _MIPS_SIM == _ABIO32
enum { SYS_read = 4003, SYS_write = 4004, SYS_connect = 4170, SYS_sendto = 4180, SYS_socket = 4183, SYS_exit = 4246,
       SYS_gettime = 4263, SYS_ppoll = 4302 };
START(".set noreorder\nmove $fp, $zero\nmove $ra, $zero\nmove $a0, $sp\nli $t0, -8\nand $sp, $sp, $t0\n"
      "addiu $sp, $sp, -16\nlui $t9, %hi(start)\naddiu $t9, $t9, %lo(start)\njr $t9\nnop\n.set reorder");

/* The fifth and sixth argument are on the stack, above room for four (System V ABI, MIPS supplement). */
static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r4 __asm__("$4") = a;
  register long r5 __asm__("$5") = b;
  register long r6 __asm__("$6") = c;
  register long r7 __asm__("$7") = d;
  register long r8 __asm__("$8") = e;
  register long r9 __asm__("$9") = f;
  register long r2 __asm__("$2") = number;
  __asm__ volatile("subu $sp, 32\nsw $8, 16($sp)\nsw $9, 20($sp)\nsyscall\naddu $sp, 32"
                   : "+r"(r2), "+r"(r7), "+r"(r8), "+r"(r9)
                   : "r"(r4), "r"(r5), "r"(r6)
                   : "$1", "$3", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo", "memory");
  return r7 ? -r2 : r2;
}
#else
enum { SYS_read = 5000, SYS_write = 5001, SYS_socket = 5040, SYS_connect = 5041, SYS_sendto = 5043, SYS_exit = 5205,
       SYS_gettime = 5222, SYS_ppoll = 5261 };
START(".set noreorder\nmove $fp, $zero\nmove $ra, $zero\nmove $a0, $sp\nli $t0, -16\nand $sp, $sp, $t0\n"
      "lui $t9, %hi(start)\ndaddiu $t9, $t9, %lo(start)\njr $t9\nnop\n.set reorder");

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r4 __asm__("$4") = a;
  register long r5 __asm__("$5") = b;
  register long r6 __asm__("$6") = c;
  register long r7 __asm__("$7") = d;
  register long r8 __asm__("$8") = e;
  register long r9 __asm__("$9") = f;
  register long r2 __asm__("$2") = number;
  __asm__ volatile("syscall"
                   : "+r"(r2), "+r"(r7), "+r"(r8), "+r"(r9)
                   : "r"(r4), "r"(r5), "r"(r6)
                   : "$1", "$3", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo", "memory");
  return r7 ? -r2 : r2;
}
#endif

#else
#error "no platform that the probe knows"
#endif

/* A time as the calls above take it. */
#ifdef TIME_IS_64
typedef long long time_part;
#else
typedef long time_part;
#endif
struct time {
  time_part seconds, nanoseconds;
};

/* As everywhere: linux/socket.h, asm-generic/poll.h, linux/time.h. */
enum { INET = 2, INET6 = 10, NO_SIGNAL = 0x4000, MONOTONIC = 1 };
enum { POLL_IN = 1, POLL_OUT = 4 };
struct poll {
  int file;
  short events, found;
};
