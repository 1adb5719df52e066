/* SPDX-License-Identifier: MIT */
/*G:484 A pipe is a ring with two doors
 *
 * One page.  Writers fill it at one end and sleep while it is full, readers empty
 * it at the other and sleep while there is nothing.  Two counters that only ever go
 * up say where each side is; their difference is what waits in between.
 *
 * The art is in the ends.  When the last writer has gone, a reader gets what is left
 * and then 0, "end of file": that is how `wc` knows that `cat` is done.  When the last
 * reader has gone, a writer gets SIGPIPE and dies of it, unless it asked not to: that
 * is how `head` stops a program that would print for ever.  And a shell that forgets
 * to close its own copy of an end waits for ever; every one did so once.
 *
 * A write of up to a page arrives in one piece, also when several write at once.
 */
#include "kernel.h"

#define PIPE_SIZE PAGE_SIZE

struct pipe {
	u8 *data;
	u32 in, out;		/* ever counting */
	u32 readers, writers;	/* struct files, not processes */
};

/* Sleepers of both kinds wait for the pipe itself and look again. */
static void wake_all(struct pipe *pipe)
{
	bool irqs = irq_save();

	wake(pipe);
	irq_restore(irqs);
}

static struct pipe *pipe_create(void)
{
	struct pipe *pipe = kmalloc(sizeof(*pipe));
	u32 frame = pipe ? frame_alloc() : 0;

	if (!frame) {
		kfree(pipe);
		return NULL;
	}
	*pipe = (struct pipe){.data = phys_to_virt(frame), .readers = 1, .writers = 1};
	return pipe;
}

static void leave(struct pipe *pipe)
{
	if (pipe->readers || pipe->writers) {
		wake_all(pipe);
		return;
	}
	frame_put(virt_to_phys(pipe->data));
	kfree(pipe);
}

static void reader_close(struct file *f)
{
	struct pipe *pipe = f->object;

	pipe->readers--;
	leave(pipe);
}

static void writer_close(struct file *f)
{
	struct pipe *pipe = f->object;

	pipe->writers--;
	leave(pipe);
}

/* The longest piece that does not go around the corner. */
static u32 piece(u32 at, u32 length)
{
	u32 rest = PIPE_SIZE - at % PIPE_SIZE;

	return length < rest ? length : rest;
}

static int pipe_read(struct file *f, u32 user, u32 length)
{
	struct pipe *pipe = f->object;
	bool irqs = irq_save(), undisturbed = true;
	u32 done, n;

	while (undisturbed && length && pipe->in == pipe->out && pipe->writers)
		undisturbed = sleep_on(pipe, 0);
	irq_restore(irqs);
	if (!undisturbed)
		return -EINTR;
	if (length > pipe->in - pipe->out)
		length = pipe->in - pipe->out;
	for (done = 0; done < length; done += n) {
		n = piece(pipe->out, length - done);
		if (!copy_to_user(user + done, pipe->data + pipe->out % PIPE_SIZE, n))
			return done ? (int)done : -EFAULT;
		pipe->out += n;
		wake_all(pipe);
	}
	return done;
}

/* Sleeps until need bytes fit in; 0 or -errno. */
static int wait_for_room(struct pipe *pipe, u32 need)
{
	bool irqs = irq_save(), undisturbed = true;

	while (undisturbed && pipe->readers && PIPE_SIZE - (pipe->in - pipe->out) < need)
		undisturbed = sleep_on(pipe, 0);
	irq_restore(irqs);
	if (!pipe->readers) {
		signal_send(current, SIGPIPE);
		return -EPIPE;
	}
	return undisturbed ? 0 : -EINTR;
}

static int pipe_write(struct file *f, u32 user, u32 length)
{
	struct pipe *pipe = f->object;
	u32 done, n, room;
	int error;

	for (done = 0; done < length; done += n) {
		error = wait_for_room(pipe, length <= PIPE_SIZE ? length - done : 1);
		if (error)
			return done ? (int)done : error;
		room = PIPE_SIZE - (pipe->in - pipe->out);
		n = piece(pipe->in, length - done < room ? length - done : room);
		if (!copy_from_user(pipe->data + pipe->in % PIPE_SIZE, user + done, n))
			return done ? (int)done : -EFAULT;
		pipe->in += n;
		wake_all(pipe);
	}
	return done;
}

static const struct file_ops reader_ops = {.read = pipe_read, .close = reader_close};
static const struct file_ops writer_ops = {.write = pipe_write, .close = writer_close};

int file_pipe(struct file *ends[2])
{
	struct pipe *pipe = pipe_create();

	ends[0] = pipe ? file_new(&reader_ops, O_RDONLY, pipe) : NULL;
	ends[1] = ends[0] ? file_new(&writer_ops, O_WRONLY, pipe) : NULL;
	if (ends[1])
		return 0;
	kfree(ends[0]);
	if (pipe) {
		pipe->readers = pipe->writers = 0;
		leave(pipe);
	}
	return -ENOMEM;
}
/*:*/
