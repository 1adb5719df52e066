/* SPDX-License-Identifier: MIT */
/*G:760 What a program can say to a network
 *
 * Sockets bear Linux's names and numbers, too.  Addresses and ports are plain numbers
 * here (10.0.2.2 is 0x0a000202); only the calls themselves turn them into what goes
 * over the wire.
 :*/
#ifndef NETLIB_H
#define NETLIB_H

#include "user.h"

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_ICMP 1

#define EAGAIN 11

int socket(u32 type, u32 protocol);
int bind_port(int fd, u32 port);
int connect_to(int fd, u32 ip, u32 port);
int listen(int fd, u32 backlog);
int accept_from(int fd, u32 *ip, u32 *port);
int send_to(int fd, const void *data, u32 length, u32 ip, u32 port);
int receive_from(int fd, void *data, u32 length, u32 *ip, u32 *port);
int hang_up(int fd);			/* nothing more to say, but still listening */
int receive_patience(int fd, u32 ms);	/* then -EAGAIN; 0: for ever */
int getrandom(void *to, u32 length);

u64 uptime_us(void);
/* "10.0.2.2" and nothing else. */
bool parse_ip(const char *text, u32 *ip);
const char *ip_text(u32 ip);		/* good until the next call */
/* A name or an address; says what went wrong, as program, and ends it if need be. */
u32 resolve(const char *program, const char *name);
bool parse_port(const char *text, u32 *port);	/* 1 to 65535 */
/* Writes all of it; 0 or -errno. */
int write_all(int fd, const void *data, u32 length);

#endif
