/* SPDX-License-Identifier: MIT */
/*G:416 Luggage
 *
 * exec throws the old memory away, so what the caller wants to hand over has to be packed
 * before: all strings of argv and of the environment, one behind the other, in frames
 * of their own.  Those frames then simply become the top of the new stack, and nothing is
 * copied twice.  Below the strings come the pointers to them, as the i386 ABI of Unix
 * wants it:
 *
 *	STACK_TOP
 *		the strings
 *	2048	...begin here, in the lowest of their pages
 *		0, envp[]..., 0, argv[]...
 *	esp ->	argc
 *
 * The room below 2048 is for the pointers and the program's first calls, so that a small
 * program gets by with one page of stack.
 */
#include "kernel.h"

#define FIRST_AT 2048u
#define CHUNK 64u

void arguments_free(struct arguments *a)
{
	u32 i;

	for (i = a->mapped; i < ARGUMENT_PAGES && a->frame[i]; i++)
		frame_put(a->frame[i]);
}

static u8 *byte_at(struct arguments *a, u32 offset)
{
	return (u8 *)phys_to_virt(a->frame[offset / PAGE_SIZE]) + offset % PAGE_SIZE;
}

/* Where the next byte goes, and how many fit there; 0 or -errno. */
static int room(struct arguments *a, u8 **to, u32 *size)
{
	u32 offset = FIRST_AT + a->used, page = offset / PAGE_SIZE;

	if (a->used + 4 * (a->argc + a->envc) >= ARGUMENTS_MAX)
		return -E2BIG;
	if (!a->frame[page])
		a->frame[page] = frame_alloc_zeroed();
	if (!a->frame[page])
		return -ENOMEM;
	*to = byte_at(a, offset);
	*size = PAGE_SIZE - offset % PAGE_SIZE < CHUNK ? PAGE_SIZE - offset % PAGE_SIZE : CHUNK;
	return 0;
}

static int add_from_user(struct arguments *a, u32 user)
{
	u32 size, length;
	u8 *to;
	int error;

	do {
		error = room(a, &to, &size);
		if (error)
			return error;
		if (size > PAGE_SIZE - (user & PAGE_MASK))
			size = PAGE_SIZE - (user & PAGE_MASK);
		if (!copy_from_user(to, user, size))
			return -EFAULT;
		length = strnlen((char *)to, size);
		a->used += length < size ? length + 1 : size;
		user += size;
	} while (length == size);
	return 0;
}

static int add_from_kernel(struct arguments *a, const char *string)
{
	u32 size;
	u8 *to;
	int error;

	do {
		error = room(a, &to, &size);
		if (error)
			return error;
		*to = *string;
		a->used++;
	} while (*string++);
	return 0;
}

static int add_list_from_user(struct arguments *a, u32 list, u32 *count)
{
	u32 pointer;
	int error = 0;

	for (; list && !error; list += 4) {
		if (!copy_from_user(&pointer, list, 4))
			return -EFAULT;
		if (!pointer)
			break;
		error = add_from_user(a, pointer);
		++*count;
	}
	return error;
}

int arguments_from_user(struct arguments *a, u32 argv, u32 envp)
{
	int error;

	memset(a, 0, sizeof(*a));
	error = add_list_from_user(a, argv, &a->argc);
	if (!error && !a->argc) {		/* every program has a name, if an empty one */
		error = add_from_kernel(a, "");
		a->argc = 1;
	}
	return error ? error : add_list_from_user(a, envp, &a->envc);
}

int arguments_from_kernel(struct arguments *a, char *const argv[])
{
	int error = 0;

	memset(a, 0, sizeof(*a));
	for (; *argv && !error; argv++, a->argc++)
		error = add_from_kernel(a, *argv);
	return error;
}

static bool write_word(u32 root, u32 va, u32 word)
{
	pte_t *pte = pte_lookup(root, va);
	u32 frame;

	if (!pte || !(*pte & PTE_P)) {
		frame = frame_alloc_zeroed();
		if (!frame)
			return false;
		if (!page_map(root, va, frame, PTE_RW | PTE_US | PTE_A | PTE_D)) {
			frame_put(frame);
			return false;
		}
		pte = pte_lookup(root, va);
	}
	*(u32 *)((u8 *)phys_to_virt(pte_phys(*pte)) + (va & PAGE_MASK)) = word;
	return true;
}

int arguments_push(struct arguments *a, u32 root, u32 *esp)
{
	u32 pages = (FIRST_AT + a->used + PAGE_MASK) / PAGE_SIZE, base = STACK_TOP - pages * PAGE_SIZE;
	u32 at = FIRST_AT, sp = (base + at - 4 * (a->argc + a->envc + 3)) & ~15u, i;
	bool good = true;

	for (; a->mapped < pages; a->mapped++)
		if (!page_map(root, base + a->mapped * PAGE_SIZE, a->frame[a->mapped],
			      PTE_RW | PTE_US | PTE_A | PTE_D))
			return -ENOMEM;
	*esp = sp;
	good = write_word(root, sp, a->argc);
	for (i = 0; good && i < a->argc + a->envc; i++) {
		if (i == a->argc)
			sp += 4;		/* the 0 that ends argv */
		sp += 4;
		good = write_word(root, sp, base + at);
		while (*byte_at(a, at++))
			;
	}
	return good ? 0 : -ENOMEM;	/* the zeros were there before */
}
/*:*/
