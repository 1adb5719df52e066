/* SPDX-License-Identifier: MIT */
/*G:510 The patient typist
 *
 * What you type goes into a line, and a program gets it only when the line is done:
 * until then you may take it back.  All of that happens in the interrupt handler of
 * the console, so the echo comes at once, whatever the processes are doing.
 *
 *	Backspace, DEL	take back one character (others shown as ^X are characters, too)
 *	Ctrl-U		take back the line
 *	Ctrl-C, Ctrl-\	SIGINT or SIGQUIT to the foreground: the group of processes that the
 *			shell has named, and that alone may read what is typed
 *	Ctrl-Z		SIGTSTP to them: stop, and wait for SIGCONT
 *	Ctrl-D		end of input, on an empty line; else send the line as it is
 *
 * A program that wants the keys themselves, as they come, without echo and without any
 * of this, switches us to raw mode (the shell does, for its line editor).  What was typed
 * ahead changes sides with the switch: raw bytes that nobody took are typed again.
 *
 * Whoever types faster than anybody reads, a pasted page for instance, is not cut
 * short: when there is no room, the driver leaves the rest with the Launcher and is
 * called again after the next read.
 */
#include "kernel.h"

#define CTRL(c) ((c) & 0x1f)
#define DEL 0x7f

static char line[16384];		/* being typed */
static u32 line_length;
static char ready[4 * sizeof(line)];	/* finished lines, a ring */
static u32 ready_in, ready_out;		/* ever counting; the difference is what waits */
static bool end_of_input;
static bool raw;
int tty_foreground;

static void (*poll_source)(void);

u32 tty_room(void)
{
	return sizeof(ready) - (ready_in - ready_out) - line_length;
}

void tty_source(void (*poll)(void))
{
	poll_source = poll;
}

static void echo(const char *text)
{
	console_write(text, strlen(text));
}

static void ready_put(char c)
{
	ready[ready_in++ % sizeof(ready)] = c;
}

static void line_done(void)
{
	u32 i;

	for (i = 0; i < line_length; i++)
		ready_put(line[i]);
	line_length = 0;
	wake(ready);
}

static void signal_key(const char *shown, u32 signal)
{
	echo(shown);
	line_length = 0;
	ready_out = ready_in;
	group_kill(tty_foreground, signal);
}

static bool is_shown_as_two(char c)
{
	return (u8)c < ' ' && c != '\t';
}

static void erase(u32 count)
{
	while (count-- && line_length) {
		line_length--;
		echo(is_shown_as_two(line[line_length]) ? "\b\b  \b\b" : "\b \b");
	}
}

static void tty_key(char c)
{
	if (raw) {
		ready_put(c);
		wake(ready);
		return;
	}
	switch (c) {
	case '\b':
	case DEL:
		erase(1);
		return;
	case CTRL('U'):
		erase(line_length);
		return;
	case CTRL('C'):
		signal_key("^C\n", SIGINT);
		return;
	case CTRL('\\'):
		signal_key("^\\\n", SIGQUIT);
		return;
	case CTRL('Z'):
		signal_key("^Z\n", SIGTSTP);
		return;
	case CTRL('D'):
		if (line_length)
			line_done();
		else
			end_of_input = true;
		wake(ready);
		return;
	case '\r':
		c = '\n';
	}
	if (c != '\n' && line_length == sizeof(line) - 1) {
		echo("\a");
		return;
	}
	line[line_length++] = c;
	if (c != '\n' && is_shown_as_two(c))
		console_write((char[]){'^', c + '@'}, 2);
	else
		console_write(&c, 1);
	if (c == '\n')
		line_done();
}

void tty_input(const char *bytes, u32 length)
{
	while (length--)
		tty_key(*bytes++);
}

bool tty_is_raw(void)
{
	return raw;
}

void tty_set_raw(bool wish)
{
	static char ahead[sizeof(ready)];
	bool irqs = irq_save();
	u32 n;

	if (wish && !raw)
		line_done();		/* as far as it was typed */
	if (!wish && raw) {
		raw = false;
		for (n = 0; ready_out != ready_in; n++)
			ahead[n] = ready[ready_out++ % sizeof(ready)];
		tty_input(ahead, n);
	}
	raw = wish;
	irq_restore(irqs);
}

/* Whoever reads from the background is stopped until it is in the foreground. */
static int wait_for_turn(void)
{
	while (tty_foreground && tty_foreground != current->group) {
		if (signal_refused(SIGTTIN))
			return -EIO;
		group_kill(current->group, SIGTTIN);
		signal_stops();
		if (current->due)
			return -EINTR;
	}
	return 0;
}

int tty_read(u32 user, u32 length)
{
	char chunk[128];
	u32 n = 0;
	bool irqs = irq_save();
	int error = wait_for_turn();

	while (!error && ready_in == ready_out && !end_of_input)
		error = sleep_on(ready, 0) ? wait_for_turn() : -EINTR;
	if (error) {
		irq_restore(irqs);
		return error;
	}
	if (ready_in == ready_out)
		end_of_input = false;	/* once; the next read waits again */
	while (n < length && n < sizeof(chunk) && ready_out != ready_in) {
		chunk[n] = ready[ready_out++ % sizeof(ready)];
		if (chunk[n++] == '\n')
			break;
	}
	if (poll_source)
		poll_source();
	irq_restore(irqs);
	return copy_to_user(user, chunk, n) ? (int)n : -EFAULT;
}
/*:*/
