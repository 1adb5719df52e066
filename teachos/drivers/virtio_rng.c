/* SPDX-License-Identifier: MIT */
/*D:498 Dice by post
 *
 * A computer that does what it is told can't surprise itself, and a Guest even less: its
 * clock is the Host's, and its keyboard is a pipe.  So it asks.  The device has one
 * queue; an empty buffer goes in, and comes back full of what the Launcher got from
 * the kernel below.
 *
 * Where there is no such device, we say so.  Numbers that only look random are worse
 * than none, for whoever needs them can't tell.
 */
#include "selftest.h"
#include "virtio.h"

#define ENODEV 19

static struct virtqueue queue;
static u8 dice[64] __attribute__((aligned(64)));
static u32 thrown, used;		/* dice[used..thrown) were not given away yet */
static bool on_the_way;

static void ask(void)
{
	struct virtqueue_part part = {dice, sizeof(dice), true};

	if (on_the_way || !queue.num)
		return;
	on_the_way = virtqueue_add(&queue, &part, 1, dice);
	virtqueue_kick(&queue);
}

static void rng_interrupt(unsigned int irq)
{
	u32 written;

	(void)irq;
	if (!virtqueue_get(&queue, &written))
		return;
	on_the_way = false;
	thrown = written < sizeof(dice) ? written : sizeof(dice);
	used = 0;
	wake(dice);
}

/* Used numbers are wiped: nobody shall find out later what somebody else got. */
u32 random_now(void *to, u32 length)
{
	bool irqs = irq_save();

	if (length > thrown - used)
		length = thrown - used;
	memcpy(to, dice + used, length);
	memset(dice + used, 0, length);
	used += length;
	if (used == thrown)
		ask();
	irq_restore(irqs);
	return length;
}

int random_read(u32 user, u32 length)
{
	u8 some[sizeof(dice)];
	u32 done = 0, n;
	bool irqs, undisturbed = true;

	if (!queue.num)
		return -ENODEV;
	while (done < length) {
		n = random_now(some, length - done < sizeof(some) ? length - done : sizeof(some));
		if (!copy_to_user(user + done, some, n))
			return done ? (int)done : -EFAULT;
		done += n;
		irqs = irq_save();
		while (undisturbed && done < length && thrown == used) {
			ask();
			undisturbed = sleep_on(dice, 0);
		}
		irq_restore(irqs);
		if (!undisturbed)
			return done ? (int)done : -EINTR;
	}
	return done;
}

static int random_file_read(struct file *f, u32 user, u32 length)
{
	(void)f;
	return random_read(user, length);
}

static const struct file_ops random_ops = {.read = random_file_read};

struct file *file_random(int *error)
{
	if (!queue.num) {
		*error = -ENODEV;
		return NULL;
	}
	return file_new(&random_ops, O_RDONLY, NULL);
}

static bool rng_probe(struct virtio_device *dev)
{
	u32 irq;

	if (dev->number || !virtio_queue(dev, 0, &queue, &irq))
		return false;
	irq_request(irq, rng_interrupt);
	ask();
	return true;
}

const struct virtio_driver rng_driver = {
	LGUEST_DEV_RNG, "source of random numbers", 0, rng_probe,
};
/*:*/

/*D:499 Are they any good?
 *
 * A test can't tell chance from cunning, but it notices a device that sends the same
 * again, or nothing: of 512 bits about half should be ones (more than 100 off, that is
 * nine standard deviations, and no machine has ever been so unlucky).
 */
SELFTEST(random_bits, "drivers/random numbers differ, and are half ones")
{
	static u8 first[64], second[64];
	u64 deadline = pv.now() + 2ull * NS_PER_S;
	u32 have, i, ones = 0;
	u8 *const into[] = {first, second};

	if (!queue.num)
		return test_skip("there is no source of random numbers");
	for (i = 0; i < 2; i++)
		for (have = 0; have < 64 && pv.now() < deadline; spin_thousands(1))
			have += random_now(into[i] + have, 64 - have);
	CHECK(pv.now() < deadline, "not 128 bytes in 2 s");
	CHECK(memcmp(first, second, 64), "the same 64 bytes twice");
	for (i = 0; i < 512; i++)
		ones += first[i / 8] >> i % 8 & 1;
	CHECK(ones > 156 && ones < 356, "%u ones in 512 bits", ones);
	return NULL;
}
/*:*/
