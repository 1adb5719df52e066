// SPDX-License-Identifier: MIT
/*
 * Lab 3, where no student looks: letters with answers.  What the device finds in the parts that
 * it may read it sends back, turned over, in those that it may write.  So what counts is
 * what arrives, in rings of any size, far past the place where the indexes wrap, whether the
 * device wants to be told or not.
 */
#include "around.h"

#define MOST	32u		/* slots */
#define PARTS	6u
#define BYTES	24u
#define LETTERS	MOST

static struct device *const d = &queues[0];
static struct virtqueue *vq;

/* One letter: where it lies, and what was in it when it went. */
static struct letter {
	bool out;
	u32 count, readable, written;
	u8 at[PARTS][BYTES], sent[PARTS * BYTES];
	u32 length[PARTS], bytes_out, bytes_in;
} letter[LETTERS];
static u32 busy, kicks_due, letters, answers;

static int set_up(void **state)
{
	(void)state;
	around_begin(1, MOST);
	vq = malloc(sizeof(*vq));
	assert_non_null(vq);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	around_end();
	free(vq);
	return 0;
}

static void new_ring(u32 num)
{
	device_end(d);
	device_begin(d, num);
	memset(vq, 0x5a, sizeof(*vq));
	memset(vq->token, 0, sizeof(vq->token));
	virtqueue_init(vq, d->shared, num);
	vq->kick = device_kick;
	vq->kick_value = (u32)(uintptr_t)d->shared;
	memset(letter, 0, sizeof(letter));
	busy = kicks_due = 0;
}

/* A letter with any parts; some are refused, when there is no room. */
static void post(u32 num)
{
	struct letter *l = &letter[below(LETTERS)];
	struct virtqueue_part parts[PARTS];
	u32 before = vq->free_slots;

	if (l->out)
		return;
	memset(l, 0, sizeof(*l));
	l->count = 1 + below(PARTS);
	l->readable = below(l->count + 1);
	for (u32 i = 0; i < l->count; i++) {
		l->length[i] = 1 + below(BYTES);
		for (u32 k = 0; k < l->length[i]; k++)
			l->at[i][k] = i < l->readable ? (u8)random32() : 0xee;
		parts[i] = (struct virtqueue_part){ l->at[i], l->length[i], i >= l->readable };
		if (i < l->readable)
			memcpy(l->sent + l->bytes_out, l->at[i], l->length[i]);
		*(i < l->readable ? &l->bytes_out : &l->bytes_in) += l->length[i];
	}
	if (before != num - busy)
		broken("%u of %u slots are under way, and %u are free", busy, num, before);
	if (virtqueue_add(vq, parts, l->count, l) != (l->count <= num - busy))
		broken("%u of %u slots are free: a chain of %u was %s", num - busy, num, l->count,
		       l->count <= num - busy ? "refused" : "taken");
	if (l->count > num - busy)
		return;
	/* It is the chain's, not the caller's list, that counts from now on. */
	memset(parts, 0xa5, sizeof(parts));
	l->out = true;
	busy += l->count;
	letters++;
	if (below(3)) {
		kicks_due += !d->silent;
		virtqueue_kick(vq);
		if (d->kicks != kicks_due)
			broken("the device was kicked %u times, expected %u", d->kicks, kicks_due);
	}
}

/* The device reads one, any, and answers: as much as was sent, or as there is room for. */
static void answer(void)
{
	u8 text[PARTS * BYTES];
	struct device_chain *c;
	struct letter *l = NULL;
	u32 n, k;

	device_look(d);
	if (!d->count)
		return;
	c = device_chain(d, below(d->count));
	for (k = 0; k < LETTERS; k++)
		if (letter[k].out && letter[k].at[0] == c->part[0].at)
			l = &letter[k];
	if (!l)
		broken("the device has a chain that was never offered, or came back already");
	if (c->count != l->count || c->readable != l->bytes_out || c->writable != l->bytes_in)
		broken("a letter of %u parts, %u bytes to read and %u to write; the device sees %u, %u "
		       "and %u", l->count, l->bytes_out, l->bytes_in, c->count, c->readable,
		       c->writable);
	n = device_gather(c, text, sizeof(text));
	if (n != l->bytes_out || memcmp(text, l->sent, n))
		broken("the device reads another letter than was written");
	for (k = 0; k < n; k++)
		text[k] = (u8)~text[k];
	if (n > l->bytes_in)
		n = l->bytes_in;
	device_scatter(c, text, n);
	l->written = n;
	device_finish(d, c, n);
}

/* All that came back; each is whose it was, and its answer is in it. */
static void empty_the_box(void)
{
	struct letter *l;
	u32 written = 4711;

	while ((l = virtqueue_get(vq, &written)) != NULL) {
		u32 at = 0;

		if (l < letter || l >= letter + LETTERS || !l->out)
			broken("a letter came back that was not under way");
		if (written != l->written)
			broken("the device wrote %u bytes, the driver says %u", l->written, written);
		for (u32 i = l->readable; i < l->count; i++)
			for (u32 k = 0; k < l->length[i]; k++, at++) {
				u8 want = at < l->written ? (u8)~l->sent[at] : 0xee;

				if (l->at[i][k] != want)
					broken("byte %u of an answer is 0x%x, expected 0x%x", at,
					       l->at[i][k], want);
			}
		l->out = false;
		busy -= l->count;
		answers++;
	}
}

static void mail(void **state)
{
	u32 num;

	(void)state;
	random_start("mail");
	/* The small one goes round most often: a chain may fill all of it. */
	for (num = 8; num <= MOST; num *= 2) {
		new_ring(num);
		letters = answers = 0;
		for (u32 step = 0; answers < (num == 16 ? 67000 : 5000); step++) {
			if (step > 3000000)
				broken("three million steps, and only %u letters came back", answers);
			switch (below(8)) {
			case 0: case 1: case 2:
				post(num);
				break;
			case 3: case 4: case 5:
				answer();
				break;
			case 6:
				empty_the_box();
				break;
			default:
				if (below(16) == 0)
					device_silence(d, below(2));
			}
		}
		for (device_look(d); d->count;)
			answer();
		empty_the_box();
		if (letters != answers || busy || vq->free_slots != num)
			broken("%u letters and %u answers; %u of %u slots are free", letters, answers,
			       vq->free_slots, num);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mail, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
