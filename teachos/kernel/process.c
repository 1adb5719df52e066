/* SPDX-License-Identifier: MIT */
/*G:400 A program that thinks it is alone
 *
 * A process is an address space, a kernel stack to be trapped on, and this record.
 * Three calls make and unmake them.  fork splits one in two; exec puts another
 * program into one; exit leaves a record with nothing in it but a number, and that
 * stays, a zombie, until the parent asks.  Whose parent is gone belongs to process
 * 0, the kernel itself, which always asks.
 */
#include "kernel.h"

struct process kernel_process;
struct process *process_list;
static int next_pid = 1;

/* The stack that boot.asm gave us becomes process 0's; its real base is not known
 * here, and nobody will come back from ring 3 on it, so a borrowed word will do. */
void process_init(void)
{
	static u32 kernel_stack_base = PROCESS_MAGIC;

	kernel_process.kstack = (u8 *)&kernel_stack_base;
	kernel_process.magic = PROCESS_MAGIC;
	kernel_process.state = RUNNING;
	kernel_process.root = 0;
	strcopy(kernel_process.name, "kernel", sizeof(kernel_process.name));
	process_list = current = &kernel_process;
}

const char process_states[PROCESS_STATES][12] = {"ready", "running", "sleeping", "stopped",
						 "zombie"};

/* For a debugger below us, which can read and not compile (launcher/gdb_threads.c): how to
 * find all processes, and what in one is where. */
const struct {
	u32 magic;
	void *list, *current;
	u32 next, pid, name, state, root, esp;
	const void *states;
	u32 state_count;
} debugger_threads = {
	0x44524854,		/* "THRD" */
	&process_list, &current,
	offsetof(struct process, next), offsetof(struct process, pid),
	offsetof(struct process, name), offsetof(struct process, state),
	offsetof(struct process, root), offsetof(struct process, esp),
	process_states, PROCESS_STATES,
};

struct process *process_find(int pid)
{
	struct process *p;

	for (p = process_list; p; p = p->next)
		if (p->pid == pid)
			return p;
	return NULL;
}

u32 process_count(void)
{
	struct process *p;
	u32 n = 0;

	for (p = process_list; p; p = p->next)
		n++;
	return n;
}

/* Lists are walked by wake() in interrupts, so they are changed with those off. */
static void list_add(struct process *p)
{
	bool irqs = irq_save();
	struct process **link = &process_list;

	while (*link)
		link = &(*link)->next;
	*link = p;
	irq_restore(irqs);
}

static void list_remove(struct process *p)
{
	bool irqs = irq_save();
	struct process **link = &process_list;

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	irq_restore(irqs);
}

static void process_free(struct process *p)
{
	if (p->root)
		root_destroy(p->root);
	if (p->kstack)
		kstack_free(p->kstack);
	kfree(p->cwd);
	p->magic = 0;
	kfree(p);
}

/* A record with a stack, an empty address space and no pid yet; NULL: no memory. */
static struct process *process_alloc(const char *name)
{
	struct process *p = kmalloc(sizeof(*p));

	if (!p)
		return NULL;
	memset((u8 *)p + FPU_SIZE, 0, sizeof(*p) - FPU_SIZE);	/* the first part: see fpu_used */
	strcopy(p->name, name, sizeof(p->name));
	p->magic = PROCESS_MAGIC;
	p->root = root_create();
	p->kstack = kstack_alloc();
	if (!p->root || !p->kstack) {
		process_free(p);
		return NULL;
	}
	*(u32 *)p->kstack = PROCESS_MAGIC;
	return p;
}

/*
 * What a stack must look like for switch_stacks() to "return" to fork_return and
 * that, by way of trap_exit, to ring 3.
 */
static struct trap_frame *first_frame(struct process *p)
{
	struct trap_frame *frame = (void *)(p->kstack + KSTACK_SIZE - sizeof(*frame));
	u32 *stack = (u32 *)frame;

	*--stack = (u32)fork_return;
	stack -= 4;		/* ebp, ebx, esi, edi: anything */
	p->esp = (u32)stack;
	return frame;
}

static int process_start(struct process *p)
{
	p->parent = current;
	p->pid = next_pid++;
	if (!p->group)
		p->group = tty_foreground = p->pid;
	p->state = SLEEPING;	/* not a candidate before it is in the queue */
	list_add(p);
	make_ready(p);
	return p->pid;
}
/*:*/

/*G:410 fork, in twenty lines
 *
 * The child is a copy: same pages (shared until written to), same files, same
 * registers, but for one: its eax, the return value, is 0.
 */
int process_fork(struct trap_frame *frame)
{
	struct process *child = vm_enough(current) ? process_alloc(current->name) : NULL;
	struct trap_frame *child_frame;
	int i;

	if (!child)
		return -ENOMEM;
	if (current->cwd) {
		child->cwd = kmalloc(strlen(current->cwd) + 1);
		if (child->cwd)
			strcopy(child->cwd, current->cwd, strlen(current->cwd) + 1);
	}
	if (!child->cwd != !current->cwd || !root_fork(current->root, child->root)) {
		process_free(child);
		return -ENOMEM;
	}
	child_frame = first_frame(child);
	*child_frame = *frame;
	child_frame->eax = 0;
	child->brk_start = current->brk_start;
	child->brk = current->brk;
	child->area_count = current->area_count;
	memcpy(child->area, current->area, sizeof(child->area));
	child->group = current->group;
	child->blocked = current->blocked;
	memcpy(child->action, current->action, sizeof(child->action));
	memcpy(child->tls, current->tls, sizeof(child->tls));
	fpu_fork(child);
	for (i = 0; i < PROCESS_FILES; i++) {
		child->file[i] = current->file[i];
		if (child->file[i])
			file_get(child->file[i]);
	}
	return process_start(child);
}
/*:*/

/* Loads path with its arguments into the empty root; 0 or -errno. */
static int load_program(struct process *p, u32 root, const char *path, struct arguments *args,
			u32 *eip, u32 *esp)
{
	char absolute[PATH_SIZE];
	struct node *file;
	u32 brk;
	int error = path_absolute(absolute, path);

	if (!error)
		error = node_find(absolute, &file);
	if (error)
		return error;
	error = (file->mode & S_IFMT) == S_IFREG ? elf_load(root, file, eip, &brk) : -EACCES;
	node_put(file);
	if (!error)
		error = arguments_push(args, root, esp);
	if (error)
		return error;
	p->brk = p->brk_start = brk;
	return 0;
}

static void set_frame(struct trap_frame *frame, u32 eip, u32 esp)
{
	memset(frame, 0, sizeof(*frame));
	frame->ds = frame->es = frame->ss = USER_DS;
	frame->cs = USER_CS;
	frame->eflags = EFLAGS_IF | 2;
	frame->eip = eip;
	frame->esp = esp;
}

static const char *last_part(const char *path)
{
	const char *slash;

	while ((slash = strchr(path, '/')) != NULL)
		path = slash + 1;
	return path;
}

/*G:415 exec
 *
 * The new program is loaded into a fresh address space beside the old one.  Only
 * when nothing can go wrong any more are they exchanged: an exec that fails leaves
 * the caller as it was.
 */
int process_exec(const char *path, struct arguments *args, struct trap_frame *frame)
{
	u32 root = root_create(), old = current->root, eip, esp;
	int error;

	if (!root)
		return -ENOMEM;
	error = load_program(current, root, path, args, &eip, &esp);
	if (error) {
		root_destroy(root);
		return error;
	}
	current->root = root;
	current->area_count = 0;
	root_switch(root);		/* before the batch, as in process_exit */
	pv.batch_begin();
	root_destroy(old);
	pv.batch_end();
	fpu_forget(current);
	memset(current->tls, 0, sizeof(current->tls));
	tls_load(current->tls);
	signal_exec();
	strcopy(current->name, last_part(path), sizeof(current->name));
	set_frame(frame, eip, esp);
	return 0;
}

int process_spawn(const char *path, char *const argv[])
{
	struct process *p = process_alloc(last_part(path));
	struct arguments args;
	u32 eip, esp;
	int error, i;

	if (!p)
		return -ENOMEM;
	error = arguments_from_kernel(&args, argv);
	if (!error)
		error = load_program(p, p->root, path, &args, &eip, &esp);
	arguments_free(&args);
	if (error) {
		process_free(p);
		return error;
	}
	set_frame(first_frame(p), eip, esp);
	p->file[0] = file_console();
	if (!p->file[0]) {
		process_free(p);
		return -ENOMEM;
	}
	for (i = 1; i < 3; i++) {
		p->file[i] = p->file[0];
		file_get(p->file[0]);
	}
	return process_start(p);
}
/*:*/

/*G:417 The end, and after */
void process_exit(int status)
{
	struct process *p;
	u32 root = current->root;
	int i;

	ASSERT(current != &kernel_process);
	for (i = 0; i < PROCESS_FILES; i++)
		if (current->file[i])
			file_put(current->file[i]);
	fpu_forget(current);
	/*
	 * Never saw off the branch you sit on; and a call that waits in a batch has not been
	 * made.  An interrupt may come before it is, and be delivered by way of a root whose
	 * frame is somebody else's by then.
	 */
	root_switch(kernel_root);
	pv.batch_begin();		/* to the next change of process, which ends it */
	current->root = 0;
	root_destroy(root);

	pv.irq_disable();
	for (p = process_list; p; p = p->next)
		if (p->parent == current)
			p->parent = &kernel_process;
	current->status = status;
	current->state = ZOMBIE;
	signal_send(current->parent, SIGCHLD);
	wake(current->parent);
	wake(&kernel_process);		/* in case we left it a zombie child */
	schedule();
	panic("a zombie walks");
}

static bool is_meant(const struct process *p, int pid)
{
	if (p->parent != current)
		return false;
	return pid > 0 ? p->pid == pid : pid == -1 || p->group == (pid ? -pid : current->group);
}

/* A child as described that has something to tell; *any: is there such a child at all? */
static struct process *find_child(int pid, u32 options, bool *any)
{
	struct process *p;

	for (*any = false, p = process_list; p; p = p->next) {
		if (!is_meant(p, pid))
			continue;
		*any = true;
		if (p->state == ZOMBIE || ((options & WUNTRACED) && p->state == STOPPED &&
					   !p->stop_reported))
			break;
	}
	return p;
}

int process_wait(int pid, int *status, u32 options)
{
	bool irqs = irq_save(), any, disturbed = false;
	struct process *p;
	int result;

	while (!(p = find_child(pid, options, &any)) && any && !(options & WNOHANG) && !disturbed)
		disturbed = !sleep_on(current, 0);
	if (!p) {
		result = !any ? -ECHILD : disturbed ? -EINTR : 0;
	} else if (p->state == STOPPED) {
		result = p->pid;
		*status = STATUS_STOPPED(p->stopped_by);
		p->stop_reported = true;
	} else {
		result = p->pid;
		*status = p->status;
		list_remove(p);
		process_free(p);
	}
	irq_restore(irqs);
	return result;
}
/*:*/
