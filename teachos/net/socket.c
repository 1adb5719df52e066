/* SPDX-License-Identifier: MIT */
/*D:494 A network that looks like a file
 *
 * The Berkeley idea of 1983: a connection is one more thing with a number that one can
 * read from and write to.  What files can't do (who to?  who from?) is in thirteen
 * further calls, which on i386 share one system call: a number, and a pointer to
 * the arguments.
 *
 * Everything here runs for a process, so it may wait.  Interrupts are off; sleep_on()
 * lets them in while we sleep, and what they change, we look at again afterwards.
 */
#include "kernel.h"
#include "net.h"

enum {
	CALL_SOCKET = 1, CALL_BIND, CALL_CONNECT, CALL_LISTEN, CALL_ACCEPT, CALL_GETSOCKNAME,
	CALL_GETPEERNAME, CALL_SOCKETPAIR, CALL_SEND, CALL_RECV, CALL_SENDTO, CALL_RECVFROM,
	CALL_SHUTDOWN, CALL_SETSOCKOPT
};
#define AF_INET 2
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define MSG_PEEK 0x02
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define SHUT_RD 0
#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_RCVTIMEO 20
#define ADDRESS_PATIENCE_NS (10 * NET_S)

struct socket {
	struct tcp *tcp;		/* SOCK_STREAM */
	struct endpoint end;		/* SOCK_DGRAM; port 0: not open yet */
	u8 protocol;
	u64 patience;			/* nanoseconds, 0: for ever */
};

struct address {			/* Linux's sockaddr_in */
	u16 family;
	u8 port[2], ip[4], zero[8];
};

/* Sleeps until channel is woken, the deadline, or a signal; 0 or -errno.  What we have
 * to say is said first, and if that was to ourselves, the answer may be here already. */
static int wait_on(const void *channel, u64 deadline)
{
	u32 before = net_wakes;

	net_poll();
	if (net_wakes != before)
		return 0;
	if (deadline && pv.now() >= deadline)
		return -EAGAIN;
	return sleep_on(channel, deadline) ? 0 : -EINTR;
}

static u64 deadline_of(const struct socket *s, u32 flags)
{
	return flags & MSG_DONTWAIT ? 1 : s->patience ? pv.now() + s->patience : 0;
}

static int get_address(u32 user, u32 length, u32 *ip, u16 *port)
{
	struct address a;

	if (length < sizeof(a))
		return -EINVAL;
	if (!copy_from_user(&a, user, sizeof(a)))
		return -EFAULT;
	if (a.family != AF_INET)
		return -EAFNOSUPPORT;
	*ip = get32(a.ip);
	*port = get16(a.port);
	return 0;
}

static int put_address(u32 user, u32 user_length, u32 ip, u16 port)
{
	struct address a = {.family = AF_INET};
	u32 length;

	if (!user)
		return 0;
	put32(a.ip, ip);
	put16(a.port, port);
	if (!copy_from_user(&length, user_length, 4))
		return -EFAULT;
	if (length > sizeof(a))
		length = sizeof(a);
	if (!copy_to_user(user, &a, length))
		return -EFAULT;
	length = sizeof(a);
	return copy_to_user(user_length, &length, 4) ? 0 : -EFAULT;
}

/* Whoever is the first to want to talk waits until we know who we are. */
static int wait_for_own_address(u32 to)
{
	u64 deadline = pv.now() + ADDRESS_PATIENCE_NS;
	int error = 0;

	while (!error && !ip_source(to)) {
		if (net->dhcp.state == DHCP_OFF)
			return -ENETUNREACH;
		error = wait_on(&net->dhcp, deadline);
	}
	return error == -EAGAIN ? -ENETUNREACH : error;
}
/*:*/

/*D:495 Reading and writing a stream */
static int stream_read(struct socket *s, u32 user, u32 length, u32 flags)
{
	struct tcp *t = s->tcp;
	u64 deadline = deadline_of(s, flags);
	const u8 *from;
	u32 done, n;
	int error;

	if (!t->remote)
		return -ENOTCONN;
	tcp_peek(t, &n);
	while (length && !n && !tcp_at_end(t)) {
		error = wait_on(t, deadline);
		if (error)
			return error;
		tcp_peek(t, &n);
	}
	for (done = 0; done < length; done += n) {
		from = tcp_peek(t, &n);
		if (!n)
			break;
		if (n > length - done)
			n = length - done;
		if (!copy_to_user(user + done, from, n))
			return done ? (int)done : -EFAULT;
		if (flags & MSG_PEEK)
			return n;
		tcp_consumed(t, n);
	}
	if (!done && length && t->error) {
		error = t->error;
		t->error = 0;		/* said once, then it is the end of the file */
		return error;
	}
	return done;
}

static int stream_write(struct socket *s, u32 user, u32 length, u32 flags)
{
	struct tcp *t = s->tcp;
	u64 deadline = flags & MSG_DONTWAIT ? 1 : 0;
	u32 done, n;
	u8 *to;
	int error;

	if (!t->remote)
		return -ENOTCONN;
	for (done = 0; done < length; done += n) {
		to = tcp_room(t, &n);
		while (tcp_can_send(t) && !n) {
			error = wait_on(t, deadline);
			if (error)
				return done ? (int)done : error;
			to = tcp_room(t, &n);
		}
		if (!tcp_can_send(t)) {
			error = t->error ? t->error : -EPIPE;
			t->error = 0;
			if (!done && error == -EPIPE && !(flags & MSG_NOSIGNAL))
				process_kill(current->pid, SIGPIPE);
			return done ? (int)done : error;
		}
		if (n > length - done)
			n = length - done;
		if (!copy_from_user(to, user + done, n))
			return done ? (int)done : -EFAULT;
		tcp_wrote(t, n);
	}
	return done;
}

static int stream_connect(struct socket *s, u32 ip, u16 port)
{
	int error = tcp_connect(s->tcp, ip, port);

	while (!error && s->tcp->state == TCP_SYN_SENT)
		error = wait_on(s->tcp, 0);
	if (!error && s->tcp->state == TCP_CLOSED) {
		error = s->tcp->error;
		s->tcp->error = 0;
		s->tcp->remote = 0;
	}
	return error;
}
/*:*/

/*D:496 ... and datagrams */
static int open_endpoint(struct socket *s, u16 port)
{
	return s->end.port && !port ? 0 : s->end.port ? -EINVAL :
	       endpoint_open(&s->end, s->protocol, port);
}

static int datagram_read(struct socket *s, u32 user, u32 length, u32 flags,
			 u32 user_address, u32 user_address_length)
{
	u64 deadline = deadline_of(s, flags);
	struct packet *p;
	int error = open_endpoint(s, 0);

	while (!error && !s->end.queue) {
		error = s->end.error;
		s->end.error = 0;
		if (!error)
			error = wait_on(&s->end, deadline);
	}
	if (error)
		return error;
	p = s->end.queue;
	if (length > p->length)
		length = p->length;	/* the rest of it is lost: one read, one datagram */
	error = put_address(user_address, user_address_length, p->from, p->from_port);
	if (!error && !copy_to_user(user, p->data, length))
		error = -EFAULT;
	if (!(flags & MSG_PEEK)) {
		s->end.queue = p->next;
		s->end.queued--;
		packet_free(p);
	}
	return error ? error : (int)length;
}

static int datagram_write(struct socket *s, u32 user, u32 length, u32 ip, u16 port)
{
	struct packet *p;
	int error = open_endpoint(s, 0);

	if (!error)
		error = wait_for_own_address(ip);
	if (error)
		return error;
	if (length > NET_MTU - sizeof(struct ip_header) - UDP_HEADER)
		return -EMSGSIZE;
	p = packet_new();
	if (!p)
		return -ENOMEM;
	p->length = length;
	if (!copy_from_user(p->data, user, length)) {
		packet_free(p);
		return -EFAULT;
	}
	error = endpoint_send(&s->end, p, ip, port);
	return error ? error : (int)length;
}

static int send_to(struct socket *s, const u32 *args, bool with_address)
{
	u32 ip = s->end.remote;
	u16 port = s->end.remote_port;
	int error;

	if (s->tcp)
		return stream_write(s, args[1], args[2], args[3]);
	if (with_address && args[4]) {
		error = get_address(args[4], args[5], &ip, &port);
		if (error)
			return error;
	}
	if (!ip || (s->protocol == IP_UDP && !port))
		return -EDESTADDRREQ;
	return datagram_write(s, args[1], args[2], ip, port);
}

static int receive_from(struct socket *s, const u32 *args, bool with_address)
{
	if (s->tcp)
		return stream_read(s, args[1], args[2], args[3]);
	return datagram_read(s, args[1], args[2], args[3], with_address ? args[4] : 0, args[5]);
}
/*:*/

/*D:497 The calls, one by one */
static int file_read_socket(struct file *f, u32 user, u32 length)
{
	u32 args[6] = {0, user, length, 0};
	bool irqs = irq_save();
	int result = receive_from(f->object, args, false);

	net_poll();
	irq_restore(irqs);
	return result;
}

static int file_write_socket(struct file *f, u32 user, u32 length)
{
	u32 args[6] = {0, user, length, 0};
	bool irqs = irq_save();
	int result = send_to(f->object, args, false);

	net_poll();
	irq_restore(irqs);
	return result;
}

static void close_socket(struct file *f)
{
	struct socket *s = f->object;
	bool irqs = irq_save();

	if (s->tcp)
		tcp_close(s->tcp);
	else if (s->end.port)
		endpoint_close(&s->end);
	net_poll();
	tcp_sweep();
	irq_restore(irqs);
	kfree(s);
}

static const struct file_ops socket_ops = {
	.read = file_read_socket,
	.write = file_write_socket,
	.close = close_socket,
};

static struct file *socket_file(struct tcp *t, u8 protocol)
{
	struct socket *s = kmalloc(sizeof(*s));
	struct file *f = s ? file_new(&socket_ops, O_RDWR, s) : NULL;

	if (f)
		*s = (struct socket){.tcp = t, .protocol = protocol};
	else
		kfree(s);
	return f;
}

static int new_socket(const u32 *args, struct file **opened)
{
	u32 type = args[1] & 0xf, protocol = args[2];
	struct tcp *t = NULL;

	if (!net_start())
		return -ENOMEM;
	if (args[0] != AF_INET)
		return -EAFNOSUPPORT;
	if (!protocol)
		protocol = type == SOCK_STREAM ? IP_TCP : IP_UDP;
	if (type == SOCK_STREAM ? protocol != IP_TCP :
	    type != SOCK_DGRAM || (protocol != IP_UDP && protocol != IP_ICMP))
		return -EPROTONOSUPPORT;
	if (type == SOCK_STREAM) {
		t = tcp_new();
		if (!t)
			return -ENOMEM;
	}
	*opened = socket_file(t, protocol);
	if (!*opened && t)
		tcp_close(t);
	return *opened ? 0 : -ENOMEM;
}

static int do_accept(struct socket *s, const u32 *args, struct file **opened)
{
	u64 deadline = deadline_of(s, 0);
	struct tcp *t;
	int error;

	if (!s->tcp || s->tcp->state != TCP_LISTEN)
		return -EINVAL;
	while (!(t = tcp_accept(s->tcp))) {
		error = wait_on(s->tcp, deadline);
		if (error)
			return error;
	}
	*opened = socket_file(t, IP_TCP);
	if (!*opened) {
		tcp_close(t);
		return -ENOMEM;
	}
	return put_address(args[1], args[2], t->remote, t->remote_port);
}

static int do_connect(struct socket *s, const u32 *args)
{
	u32 ip;
	u16 port;
	int error = get_address(args[1], args[2], &ip, &port);

	if (!error)
		error = wait_for_own_address(ip);
	if (error)
		return error;
	if (s->tcp)
		return stream_connect(s, ip, port);
	error = open_endpoint(s, 0);
	if (!error) {
		s->end.remote = ip;
		s->end.remote_port = s->protocol == IP_UDP ? port : 0;
	}
	return error;
}

static int do_bind(struct socket *s, const u32 *args)
{
	u32 ip;
	u16 port;
	int error = get_address(args[1], args[2], &ip, &port);

	if (error)
		return error;
	if (ip && ip != net->address && !IS_LOOPBACK(ip))
		return -EADDRNOTAVAIL;	/* and we take it for "any": there is one card */
	return s->tcp ? tcp_bind(s->tcp, port) : open_endpoint(s, port);
}

static int do_set_option(struct socket *s, const u32 *args)
{
	u32 time[2];

	if (args[1] != SOL_SOCKET || (args[2] != SO_RCVTIMEO && args[2] != SO_REUSEADDR))
		return -ENOPROTOOPT;
	if (args[2] == SO_REUSEADDR)
		return 0;		/* always */
	if (args[4] < sizeof(time) || !copy_from_user(time, args[3], sizeof(time)))
		return -EFAULT;
	if (time[1] >= 1000000 || (int)time[0] < 0)
		return -EINVAL;
	s->patience = time[0] * NET_S + time[1] * 1000ull;
	return 0;
}

static int call(u32 number, struct socket *s, const u32 *args, struct file **opened)
{
	switch (number) {
	case CALL_BIND:
		return do_bind(s, args);
	case CALL_CONNECT:
		return do_connect(s, args);
	case CALL_LISTEN:
		return s->tcp ? tcp_listen(s->tcp, args[1]) : -EOPNOTSUPP;
	case CALL_ACCEPT:
		return do_accept(s, args, opened);
	case CALL_GETSOCKNAME:
		return put_address(args[1], args[2], s->tcp ? s->tcp->local : net->address,
				   s->tcp ? s->tcp->local_port : s->end.port);
	case CALL_GETPEERNAME:
		if (!(s->tcp ? s->tcp->remote : s->end.remote))
			return -ENOTCONN;
		return put_address(args[1], args[2], s->tcp ? s->tcp->remote : s->end.remote,
				   s->tcp ? s->tcp->remote_port : s->end.remote_port);
	case CALL_SEND:
	case CALL_SENDTO:
		return send_to(s, args, number == CALL_SENDTO);
	case CALL_RECV:
	case CALL_RECVFROM:
		return receive_from(s, args, number == CALL_RECVFROM);
	case CALL_SHUTDOWN:
		if (!s->tcp || !s->tcp->remote)
			return -ENOTCONN;
		if (args[1] != SHUT_RD)
			tcp_shutdown(s->tcp);
		return 0;
	case CALL_SETSOCKOPT:
		return do_set_option(s, args);
	}
	return -EINVAL;
}

int socket_call(u32 number, struct file *f, const u32 *args, struct file **opened)
{
	bool irqs = irq_save();
	int result;

	if (number == CALL_SOCKET)
		result = new_socket(args, opened);
	else if (!f)
		result = -EBADF;
	else if (f->ops != &socket_ops)
		result = -ENOTSOCK;
	else
		result = call(number, f->object, args, opened);
	if (net)
		net_poll();
	irq_restore(irqs);
	return result;
}
/*:*/
