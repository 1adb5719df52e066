/* SPDX-License-Identifier: MIT */
/*G:100 TeachOS on one page
 *
 * A kernel is a handful of ideas that lean on each other.  Each idea has one file,
 * and this header is the table of contents: the prototypes stand under the name of
 * the file that keeps the promise.
 *
 *	boot.asm	the first instructions, and who gave us the machine
 *	arch/lguest/	how a Guest starts, and its answers to struct pv_ops
 *	arch/native/	how a machine starts, and its answers to the same questions
 *	main.c		from the first C line to the first process
 *	trap.asm, trap.c	every way into the kernel, and the one way out
 *	irq.c, clock.c	interrupts, and the one of them that makes time pass
 *	frame.c, heap.c	who owns which page of memory, and smaller pieces
 *	paging.c, vm.c	page tables; what a process may find behind an address
 *	process.c, sched.c, fpu.c	many programs, one processor
 *	signal.c, sigframe.c	taps on their shoulders
 *	syscall*.c, file.c, pipe.c	what a process may ask for
 *	node.c		where a path leads, and what is mounted there
 *	elf.c, arguments.c, initfs.c	programs, their luggage, the box they come in
 *	tmp.c		files that can be written, in memory
 *	disk.c, cache.c	disks, and what we remember of them
 *	ext2*.c		files that are still there tomorrow
 *	../drivers/	what the machine is made of: a bus, and who knows its devices
 *	../net/		packets, and what can be made of them (net.h has its own contents)
 *	tty.c, print.c, panic.c	talking, to people, also when all is lost
 *	selftest*.c, bench.c	does it keep the rules, and what does that cost
 *
 * The kernel is not preemptible: a process inside it runs until it sleeps, exits
 * or goes back to ring 3.  Only interrupt handlers may come in between, so what
 * they share is guarded by irq_save() and nothing else is guarded at all.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "lib.h"
#include "pv.h"

#define KERNEL_BASE	0xc0000000u	/* physical address p is at KERNEL_BASE + p */
#define SCRATCH_BASE	0xf8000000u	/* tables exist, nothing is mapped: for tests */
#define DEVICE_BASE	0xf8400000u	/* pages above the RAM: map_device() */
#define DIRECT_MAX	(880u << 20)	/* RAM beyond this is left alone */
#define KSTACK_SIZE	8192u

#define USER_CS		0x73u
#define USER_DS		0x7bu
#define EFLAGS_TF	0x100u
#define EFLAGS_IF	0x200u
#define EFLAGS_AC	0x40000u

static inline void *phys_to_virt(u32 phys)
{
	return (void *)(phys + KERNEL_BASE);
}

static inline u32 virt_to_phys(const void *virt)
{
	return (u32)virt - KERNEL_BASE;
}
/*:*/

/* ---- main.c -------------------------------------------------------------- */
/* What a back end knows before C runs; it fills this in, then calls kernel_main(). */
struct boot_info {
	u32 memory;		/* bytes of RAM, from physical 0 */
	u32 low_memory;		/* ... and of those below 1 MiB, how many are really there */
	u32 ramdisk, ramdisk_size;	/* what the boot loader brought along; 0: nothing */
	u32 reserved_top;	/* bytes at the top of the address space to keep off */
	u32 wall_clock;		/* seconds since 1970 when pv.now() was 0 */
	char command_line[512];
};
extern struct boot_info boot_info;
void kernel_main(void) __attribute__((noreturn));
/* In order: what was written is brought to the disks, then the power goes. */
void power_down(const char *text, enum shutdown_how how) __attribute__((noreturn));

/* ---- print.c ------------------------------------------------------------- */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vprint(const char *fmt, va_list ap);
/* Where console bytes go from now on; NULL: back to pv.early_print().  Returns where
 * they went until now. */
typedef void console_writer(const char *text, u32 length);
console_writer *print_to(console_writer *write);
void console_write(const char *text, u32 length);

/* ---- panic.c ------------------------------------------------------------- */
struct trap_frame;
void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void panic_trap(const struct trap_frame *frame, const char *what) __attribute__((noreturn));
/* The function that holds address, and how far into it; "?" if none does. */
const char *symbol_name(u32 address, u32 *offset);
#define ASSERT(cond) \
	do { if (!(cond)) panic("%s:%d: not true: %s", __FILE__, __LINE__, #cond); } while (0)

/* ---- trap.asm, trap.c ---------------------------------------------------- */
/* What every trap leaves on the kernel stack; trap.asm pushes it in this order. */
struct trap_frame {
	u32 gs, fs, es, ds;	/* 16 bits each, the upper half is anything */
	u32 edi, esi, ebp, esp_ignored, ebx, edx, ecx, eax;	/* pusha */
	u32 vector, error;
	u32 eip, cs, eflags;	/* from here on the processor's, or the Host's */
	u32 esp, ss;		/* only if the trap came from ring 3 */
};
_Static_assert(offsetof(struct trap_frame, vector) == 48, "trap.asm pushes 12 words");
_Static_assert(sizeof(struct trap_frame) == 76, "trap.asm and fork build this by hand");

/* Where the last trap from ring 3 left p's registers: at the top of its kernel stack. */
#define user_frame(p) ((struct trap_frame *)((p)->kstack + KSTACK_SIZE) - 1)

static inline bool from_user(const struct trap_frame *frame)
{
	return (frame->cs & 3) == 3;
}

enum gate_type { GATE_INTERRUPT = 0xe, GATE_TRAP = 0xf };
void trap_init(void);
/* dpl: the highest ring number that may say `int $vector`, 0 meaning the kernel. */
void trap_set_gate(unsigned int vector, void (*handler)(void), enum gate_type, unsigned int dpl);
void trap_reset_gate(unsigned int vector);
/* The standard stub of a vector, 0..63 or 0x80. */
void (*trap_stub(unsigned int vector))(void);
void trap_handler(struct trap_frame *frame);	/* called by trap.asm only */
void return_to_user(void);			/* last stop before ring 3 */
extern char trap_exit[], fork_return[], trap_pop_segments[], trap_pop_segments_end[];
extern char syscall_stub[];

/*
 * A test that wants a trap to happen: the next kernel-mode trap is written down
 * here and execution goes on at resume.
 */
struct trap_probe {
	volatile bool armed;
	volatile u32 resume;
	volatile u32 hits, vector, error, eip, eflags, cs, address;
	volatile bool irqs_on;		/* inside the handler */
	volatile bool single_steps;	/* #DB: go on where it was, TF off */
};
extern struct trap_probe trap_probe;

/* The last trap that killed a process. */
struct user_fault {
	int pid;
	u32 vector, error, address, eip;
};
extern struct user_fault last_user_fault;
extern bool quiet_faults;		/* tests crash programs on purpose */

/* ---- irq.c --------------------------------------------------------------- */
#define IRQ_COUNT 32
#define IRQ_VECTOR 32
void irq_request(unsigned int irq, void (*handler)(unsigned int irq));
void irq_dispatch(unsigned int irq);
extern u32 irq_count[IRQ_COUNT];

/* ---- clock.c ------------------------------------------------------------- */
#define NS_PER_S	1000000000u
#define NS_PER_MS	1000000u
#define SLICE_NS	(10 * NS_PER_MS)
void clock_init(void);
u64 clock_now(void);			/* pv.now(), and it will be later next time */
/* khz: 1000 or more. */
u64 tsc_to_ns(u64 ticks, u32 khz);
u32 wall_seconds(void);			/* seconds since 1970 */
/* Makes sure that an interrupt comes no later than deadline (pv.now() terms). */
void clock_request(u64 deadline);

/* ---- frame.c: physical pages --------------------------------------------- */
void frame_init(u32 first_free, u32 memory);
u32 frame_alloc(void);			/* physical address of a page, 0: none left */
u32 frame_alloc_zeroed(void);
u32 frame_alloc_run(u32 count);		/* the first of so many in a row; 0: no such run */
void frame_get(u32 phys);		/* one more owner */
void frame_put(u32 phys);		/* one fewer; the last one frees it */
u32 frame_refs(u32 phys);
u32 frames_free(void);
u32 frames_total(void);
void *kstack_alloc(void);		/* KSTACK_SIZE bytes, contiguous; NULL: none */
void kstack_free(void *base);
/* The same, by an owner who knows that it is full of zeros. */
void frame_put_zeroed(u32 phys);
/* A word that goes with a frame that is not free; 0 when it was allocated. */
u32 *frame_note(u32 phys);
#define JUNK_BYTE 0xa5			/* what a freed page, or object, begins with */
#define JUNK_LENGTH 128u

/* ---- heap.c -------------------------------------------------------------- */
void *kmalloc(u32 size);		/* up to 65520 bytes, 16-aligned; NULL: none */
void kfree(void *object);

/* ---- paging.c ------------------------------------------------------------ */
extern u32 kernel_root;
void paging_init(void);
u32 root_create(void);			/* kernel part shared, user part empty; 0: none */
/* Give every user page and table back.  Within a batch of the caller's. */
void root_clear_user(u32 root);
void root_destroy(u32 root);
bool root_fork(u32 from, u32 to);	/* every page shared, copied when written to */
pte_t *pte_lookup(u32 root, u32 va);	/* NULL: no table there */
pte_t *pte_create(u32 root, u32 va);	/* NULL: out of memory */
bool page_map(u32 root, u32 va, u32 phys, u32 flags);
void *map_device(u32 phys, u32 pages);
extern u32 current_root;
void root_switch(u32 root);

/* ---- vm.c: the user half of an address space ------------------------------ */
#define USER_TOP	0xc0000000u
#define STACK_TOP	0xbffff000u
#define STACK_LIMIT	(1u << 20)
#define HEAP_LIMIT	(256u << 20)
#define MAP_BASE	0x20000000u	/* what mmap() gives away lies between these */
#define MAP_TOP		0xb0000000u
#define PROT_READ	1u		/* Linux's numbers; every page can be executed */
#define PROT_WRITE	2u
#define PROT_ALL	7u
struct process;
/* A fault at va: true if it could be mended (demand-zero, copy-on-write). */
bool vm_fault(struct process *p, u32 va, bool write);
/* May p have another page? */
bool vm_enough(const struct process *p);
#define FRAMES_RESERVED 32u
/* After it could not: was p in its right, and only the memory was short? */
bool vm_had_right(struct process *p, u32 va, bool write);
/* Copy between kernel and a process; false if any of it is not the process's. */
bool copy_from_user(void *to, u32 from, u32 length);
bool copy_to_user(u32 to, const void *from, u32 length);
bool string_from_user(char *to, u32 from, u32 size);
/* Where the kernel finds the bytes at va of current: *length of them, cut down to what
 * lies in one page.  Good while current lives.  NULL: not the process's. */
void *user_memory(u32 va, u32 *length, bool write);
u32 vm_brk(struct process *p, u32 new_brk);
/* length bytes of zeros, to come when they are looked at.  fixed: at address, and
 * what was there goes away; else anywhere.  The address or -errno. */
u32 vm_map(struct process *p, u32 address, u32 length, u32 prot, bool fixed);
int vm_unmap(struct process *p, u32 address, u32 length);

/* ---- process.c, sched.c, switch.asm, fpu.c -------------------------------- */
enum process_state { READY, RUNNING, SLEEPING, STOPPED, ZOMBIE };
#define PROCESS_STATES 5
#define PROCESS_FILES 32
#define PROCESS_AREAS 16
#define FPU_SIZE 512u

enum {	/* Linux's numbers */
	SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1,
	SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD = 17, SIGCONT, SIGSTOP, SIGTSTP,
	SIGTTIN, SIGTTOU, SIGURG, SIGWINCH = 28, SIGNALS = 32
};

struct area {
	u32 start, end, prot;
};

#define SIG_DFL		0u
#define SIG_IGN		1u
#define SA_NOCLDSTOP	0x00000001u
#define SA_SIGINFO	0x00000004u
#define SA_RESTORER	0x04000000u
#define SA_NODEFER	0x40000000u
#define SA_RESETHAND	0x80000000u
struct signal_action {
	u32 handler, flags, restorer, mask;
};

struct fault {
	u32 vector, error, address;
};

struct process {
	u8 fpu[FPU_SIZE] __attribute__((aligned(16)));	/* FXSAVE image */
	bool fpu_used;
	int pid;
	char name[16];
	enum process_state state;
	struct process *parent;
	struct process *next;		/* in the list of all, by age */
	struct process *next_ready;	/* in the run queue */
	u32 root;
	u8 *kstack;
	u32 esp;			/* while it does not run */
	const void *waiting_for;	/* sleeping: wake() with this wakes it */
	u64 wake_at;			/* sleeping: also wake then; 0: never */
	int status;			/* zombie: as waitpid() reports it */
	u32 brk_start, brk;
	u32 area_count;			/* mmap(): sorted, no two overlap */
	struct area area[PROCESS_AREAS];
	u64 tls[3];
	struct file *file[PROCESS_FILES];
	char *cwd;			/* absolute, from kmalloc(); NULL: "/" */
	u64 slice_start;
	u32 switches;
	int group;			/* who gets signals together: Ctrl-C, a job */
	u32 pending, blocked;		/* signals: bit n - 1 for number n */
	u32 due;			/* pending and not blocked: acted on before ring 3 */
	struct signal_action action[SIGNALS];
	struct fault fault;		/* what a handler of SIGSEGV may want to know */
	u64 alarm_at;			/* 0: no SIGALRM is ordered */
	u32 stopped_by;			/* the signal, 0: not stopped */
	bool stop_reported;		/* waitpid() has told the parent */
	bool immortal;			/* process 1: see signal.c */
	u32 magic;
};
#define PROCESS_MAGIC 0x50524f43u

extern struct process *current;
extern struct process *process_list;
extern const char process_states[PROCESS_STATES][12];	/* their names */
extern struct process kernel_process;	/* pid 0: boots, tests, waits */
void process_init(void);
int process_fork(struct trap_frame *frame);
/* A new child of current that runs the file at path; pid or -errno. */
int process_spawn(const char *path, char *const argv[]);
struct arguments;
int process_exec(const char *path, struct arguments *args, struct trap_frame *frame);
void process_exit(int status) __attribute__((noreturn));
/* pid > 0: that child, -1: any, 0: any of our group, else: any of group -pid.  *status
 * as Linux packs it.  0 if none yet and WNOHANG; WUNTRACED: those that stop, too. */
#define WNOHANG		1u
#define WUNTRACED	2u
int process_wait(int pid, int *status, u32 options);
struct process *process_find(int pid);
u32 process_count(void);
#define STATUS_EXITED(code)	(((code) & 0xff) << 8)
#define STATUS_KILLED(signal)	((signal) & 0x7f)
#define STATUS_STOPPED(signal)	((signal) << 8 | 0x7f)

void schedule(void);			/* give the processor away; irqs are off */
void yield(void);
/* Sleep until wake(channel) or the deadline (0: none).  Irqs off across the
 * caller's test and this call.  true: look again.  false: a signal is due. */
bool sleep_on(const void *channel, u64 deadline);
/* Sleep until wake(channel), or a little less: look again.  For what must be waited
 * for, whoever wants the process dead.  Irqs off. */
void sleep_deaf(const void *channel);
void wake(const void *channel);
void make_ready(struct process *p);
void sched_tick(void);			/* clock.c, each timer interrupt */
extern bool need_resched;
void tls_load(const u64 tls[3]);
void switch_stacks(u32 *save_esp, u32 new_esp);

void fpu_init(void);
void fpu_switch_to(struct process *next);
void fpu_fork(struct process *child);
void fpu_forget(struct process *p);
void fpu_trap(void);			/* #NM: the FPU is wanted */
/* current's registers as FXSAVE writes them; NULL if it never used any. */
const void *fpu_save(void);
/* Such registers, from a source that is not to be trusted, become current's. */
void fpu_load(const void *registers);

/* ---- signal.c, sigframe.c -------------------------------------------------- */
void signal_send(struct process *p, u32 signal);	/* also from interrupts */
/* current did something wrong: true if it will see to that itself. */
bool signal_fault(u32 signal, u32 vector, u32 error, u32 address);
/* What a process asks for, by pid or by group: 0 or -ESRCH. */
int process_kill(int pid, u32 signal);
int group_kill(int group, u32 signal);
void signal_deliver(struct trap_frame *frame);	/* one that is due.  Irqs off, then maybe on */
void signal_stops(void);		/* sleeps on if Ctrl-Z or the like is due.  Irqs off */
void signal_mask(u32 blocked);
bool signal_refused(u32 signal);	/* would it never reach current? */
void signal_exec(void);
/* Makes ring 3 call the handler, next thing.  false: its stack has no room. */
bool sigframe_push(struct trap_frame *frame, u32 signal, const struct signal_action *action);
/* System calls, for syscall.c. */
int sys_sigaction(struct trap_frame *f), sys_rt_sigaction(struct trap_frame *f);
int sys_sigprocmask(struct trap_frame *f), sys_rt_sigprocmask(struct trap_frame *f);
int sys_sigreturn(struct trap_frame *f), sys_rt_sigreturn(struct trap_frame *f);
int sys_kill(struct trap_frame *f), sys_pause(struct trap_frame *f);
int sys_alarm(struct trap_frame *f);

/* ---- node.c: what has a name, and where a path leads ------------------------ */
#define PATH_SIZE	256u		/* bytes of a path, with the NUL */
#define NAME_SIZE	256u		/* of one name in it */
#define FILE_SIZE_MAX	0x7fffffffu	/* what a write may make of a file */
#define S_IFMT		0170000u	/* Linux's numbers, as in struct stat */
#define S_IFIFO		0010000u
#define S_IFCHR		0020000u
#define S_IFDIR		0040000u
#define S_IFBLK		0060000u
#define S_IFREG		0100000u
#define S_IFLNK		0120000u
#define S_IFSOCK	0140000u

/* Linux's struct stat for i386, as the system calls hand it out. */
struct stat {
	u32 dev, ino;
	u16 mode, links, uid, gid;
	u32 rdev, size, block_size, blocks;	/* blocks of 512 bytes */
	u32 atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
	u32 unused[2];
};
_Static_assert(sizeof(struct stat) == 64, "arch/x86/include/uapi/asm/stat.h");

/* Of a mounted file system.  Sizes in blocks of block_size bytes. */
struct fs_usage {
	u32 magic, block_size, blocks, blocks_free, files, files_free;
	bool read_only;
};

struct listing {
	u32 number;
	u16 mode;		/* S_IF..., as far as the directory knows it */
	char name[NAME_SIZE];
};

/* A file or directory, whichever file system it lives in.  In memory while somebody
 * has it: each node that a function hands out wants a node_put(). */
struct node {
	const struct node_ops *ops;
	u32 refs;
	u32 number;
	u32 size;		/* bytes; more than fit: 0xffffffff */
	u16 mode;
};

/* How a file system does it.  All but get may sleep; all that return int return
 * -errno if they can't.  name is one part of a path, never "" or "." or "..". */
struct node_ops {
	int (*lookup)(struct node *dir, const char *name, struct node **found);
	int (*create)(struct node *dir, const char *name, u16 mode, struct node **made);
	int (*remove)(struct node *dir, const char *name, bool directory);
	/* What was called new_name goes away, if it can be removed. */
	int (*rename)(struct node *dir, const char *name, struct node *new_dir,
		      const char *new_name);
	/* The entry at *position (0: the first), which moves on; 0: there is none. */
	int (*list)(struct node *dir, u32 *position, struct listing *entry);
	/* Bytes done; reading past the end is 0. */
	int (*read)(struct node *n, u32 offset, void *to, u32 length);
	int (*write)(struct node *n, u32 offset, const void *from, u32 length);
	int (*resize)(struct node *n, u32 size);
	int (*may_write)(struct node *n);		/* 0 or -EROFS */
	int (*set_times)(struct node *n, u32 atime, u32 mtime);
	void (*stat)(struct node *n, struct stat *to);
	int (*sync)(struct node *n);			/* all of it is on the disk */
	int (*usage)(struct node *n, struct fs_usage *to);
	/* The power goes: sync, and what has no name is given up.  NULL: no need. */
	int (*leave)(struct node *root);
	void (*put)(struct node *n);			/* one owner fewer */
};

static inline void node_get(struct node *n)
{
	n->refs++;
}

static inline void node_put(struct node *n)
{
	n->ops->put(n);
}

/* path, seen from current's directory, as one that begins with / and has no "." or
 * ".." or empty part; 0 or -ENAMETOOLONG. */
int path_absolute(char to[PATH_SIZE], const char *path);
bool node_same_fs(const struct node *a, const struct node *b);
/* From here on paths are such ones. */
int node_find(const char *path, struct node **found);
/* The directory that path is in, and its name there; -EBUSY: it is a root. */
int node_find_parent(const char *path, struct node **dir, const char **name);
/* root becomes what is found at path (a directory).  disk: where it lives, or NULL. */
struct disk;
int mount_add(const char *path, struct node *root, struct disk *disk);
int mount_remove(const char *path);		/* writes all, and lets go of it */
bool mount_of_disk(const struct disk *disk, const char **path, struct node **root);
int mount_sync(void);				/* all of them; the first error */
void mount_remove_all(void);			/* before the power goes */

/* ---- file.c -------------------------------------------------------------- */
#define O_RDONLY	0x000u		/* Linux's numbers for i386 */
#define O_WRONLY	0x001u
#define O_RDWR		0x002u
#define O_ACCMODE	0x003u
#define O_CREAT		0x040u
#define O_EXCL		0x080u
#define O_TRUNC		0x200u
#define O_APPEND	0x400u
#define O_DIRECTORY	0x10000u
struct file;
/* What a kind of file can do.  A NULL means that it can't: see file.c for the error.
 * read, write: length bytes at address user of current, from f->offset on, which they
 * move; both may sleep.  They return bytes done or -errno. */
struct file_ops {
	int (*read)(struct file *f, u32 user, u32 length);
	int (*write)(struct file *f, u32 user, u32 length);
	int (*getdents)(struct file *f, u32 user, u32 length);
	void (*close)(struct file *f);		/* the last owner has gone */
};
struct file {
	const struct file_ops *ops;
	u32 refs;
	u32 flags;		/* O_... */
	u32 offset;
	u32 size;		/* TEXT */
	bool written;		/* NODE: since it was opened */
	union {			/* whatever ops need */
		void *object;
		const char *data;
		struct node *node;
	};
};
/* A new record with one owner and nothing but these in it; NULL: no memory. */
struct file *file_new(const struct file_ops *ops, u32 flags, void *object);
/* NULL: -errno in *error.  flags: O_... */
struct file *file_open(const char *path, u32 flags, int *error);
struct file *file_console(void);
bool file_is_console(const struct file *f);
void file_get(struct file *f);
void file_put(struct file *f);
int file_read(struct file *f, u32 user, u32 length);
int file_write(struct file *f, u32 user, u32 length);
int file_getdents(struct file *f, u32 user, u32 length);
/* The file or directory behind f; NULL: it has no name and no place. */
struct node *file_node(const struct file *f);
bool file_can_seek(const struct file *f);

/* ---- pipe.c: processes only, may sleep -------------------------------------- */
/* Both ends of a new pipe: [0] to read from, [1] to write to; 0 or -ENOMEM. */
int file_pipe(struct file *ends[2]);

/* ---- disk.c: disks, whoever drives them -------------------------------------- */
#define SECTOR_SIZE	512u
#define DISK_PARTS	32u
struct disk_request;
struct disk {
	char name[8];		/* "vda" */
	char id[21];		/* what it calls itself */
	u32 sectors;
	bool read_only;
	/* Starts a request; its status is -EINPROGRESS until disk_done(). */
	void (*submit)(struct disk *disk, struct disk_request *r);
	/* Looks, irqs off, whether something is done that nobody was told of. */
	void (*poll)(struct disk *disk);
	void *driver;
};
enum disk_action { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_ID };
struct disk_request {
	enum disk_action action;
	u32 sector;		/* READ, WRITE: all of it must be on the disk */
	u32 count;		/* parts */
	struct {
		void *memory;	/* the kernel's, in one piece physically */
		u32 length;	/* bytes; READ, WRITE: whole sectors */
	} part[DISK_PARTS];
	volatile int status;	/* -EINPROGRESS, then 0 or -errno */
	/* The driver's, while it is under way. */
	u8 driver[24] __attribute__((aligned(8)));
};
/* By drivers: a disk is there (its name is chosen here), a request is done (irqs off). */
void disk_add(struct disk *disk);
void disk_done(struct disk_request *r, int status);
struct disk *disk_number(u32 n);	/* the n-th, from 0; NULL: no more */
struct disk *disk_find(const char *name);	/* "vda"; NULL */
/* Starts r, and waits for it: sleeping, or in a loop where interrupts are off. */
void disk_submit(struct disk *disk, struct disk_request *r);
int disk_wait(struct disk *disk, struct disk_request *r);	/* 0 or -errno */
struct file *disk_open(const char *name, u32 flags, int *error);	/* as file_open() */

bool disk_is_open(const struct file *f);	/* was it made by disk_open()? */

/* ---- cache.c: what we remember of a disk ------------------------------------- */
/* One 4 KiB piece of a disk.  Who has it may look at data, and change it: then
 * buffer_changed().  A cache has no lock: its owner keeps one (ext2.c does). */
struct buffer {
	u8 *data;
	u32 number;		/* of the piece: 8 sectors each */
	u32 users;
	bool valid, dirty;
	struct cache *cache;
	struct buffer *next;	/* with the same hash */
	struct buffer *newer, *older;
};
struct cache *cache_create(struct disk *disk);	/* NULL: no memory */
void cache_destroy(struct cache *c);		/* what was not written is lost */
/* Piece number, read if it is not here; fresh: the caller fills all of it, so it need
 * not be read.  NULL: -EIO or -ENOMEM in *error.  Wants a buffer_put(). */
struct buffer *buffer_get(struct cache *c, u32 number, bool fresh, int *error);
void buffer_put(struct buffer *b);
void buffer_changed(struct buffer *b);
/* Reads the pieces first..first + count - 1 that are not here, in as few requests as
 * can be.  An errors shows when one of them is wanted. */
void cache_read_ahead(struct cache *c, u32 first, u32 count);
/* Writes what was changed and waits until the disk has it for good; 0 or -EIO. */
int cache_write_back(struct cache *c);
bool cache_has(struct cache *c, u32 number);	/* is that piece here? */

/* ---- ext2*.c ------------------------------------------------------------------ */
/* Mounts the file system on disk at path, with a sentence on the console if it can't. */
int ext2_mount(struct disk *disk, const char *path, bool read_only);
void ext2_mount_first(void);			/* at boot: the first there is, on /mnt */

/* ---- tmp.c, initfs.c: files in memory --------------------------------------- */
/* The root of all paths, with what the image brought along. */
void initfs_init(void);
extern struct node *tmp_root;
/* A node that can't be changed, for data that stays; size may be 0.  path: without a
 * slash at its beginning or its end; its directory must be there.  false: no memory. */
bool tmp_add(const char *path, u16 mode, const char *data, u32 size);
u32 tmp_files(void);			/* how many there are of those that can */

/* ---- arguments.c: what a new program is handed ------------------------------ */
#define ARGUMENTS_MAX	(128u << 10)	/* bytes of all strings, and 4 for each */
#define ARGUMENT_PAGES	33u
struct arguments {
	u32 argc, envc, used;
	u32 mapped;			/* so many of the frames belong to a stack already */
	u32 frame[ARGUMENT_PAGES];
};
/* argv, envp: lists of pointers that end with 0, or 0.  0 or -errno; in both cases
 * arguments_free() comes later. */
int arguments_from_user(struct arguments *a, u32 argv, u32 envp);
int arguments_from_kernel(struct arguments *a, char *const argv[]);
/* Onto the empty stack of root, once; 0 or -ENOMEM. */
int arguments_push(struct arguments *a, u32 root, u32 *esp);
void arguments_free(struct arguments *a);

/* ---- elf.c --------------------------------------------------------------- */
/* Loads an ELF file into an empty user half; 0 or -errno. */
int elf_load(u32 root, struct node *file, u32 *entry, u32 *brk);

/* ---- syscall.c ----------------------------------------------------------- */
void syscall_handler(struct trap_frame *frame);		/* called by trap.asm only */
struct file *get_file(u32 fd);		/* of current; NULL: not open */
typedef int system_call(struct trap_frame *frame);	/* what it returns goes into eax */
/* syscall_file.c */
system_call sys_unlink, sys_rmdir, sys_mkdir, sys_rename, sys_chdir, sys_getcwd, sys_stat,
	sys_fstat, sys_lseek, sys_ftruncate, sys_utime, sys_sync, sys_fsync, sys_statfs,
	sys_mount, sys_umount;
#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define EXDEV 18
#define ENODEV 19
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define EMFILE 24
#define ENOTTY 25
#define EFBIG 27
#define ENOSPC 28
#define ESPIPE 29
#define EROFS 30
#define EMLINK 31
#define EPIPE 32
#define ERANGE 34
#define ENAMETOOLONG 36
#define ENOSYS 38
#define ENOTEMPTY 39
#define EINPROGRESS 115
#define ELOOP 40

/* ---- tty.c --------------------------------------------------------------- */
void tty_input(const char *bytes, u32 length);		/* drivers, irqs off */
u32 tty_room(void);					/* bytes that tty_input() can take now */
/* What to call, irqs off, when there is room again after tty_room() was too small. */
void tty_source(void (*poll)(void));
int tty_read(u32 user, u32 length);
bool tty_is_raw(void);
extern int tty_foreground;	/* the group that the keys are for; 0: anybody */
/* Raw: keys as they come, no echo, no Ctrl-C.  What was typed ahead is not lost. */
void tty_set_raw(bool wish);

/* ---- drivers ------------------------------------------------------------- */
void bus_init(void);			/* lguest_bus.c */

/* ---- drivers/virtio_rng.c -------------------------------------------------- */
u32 random_now(void *to, u32 length);	/* as many bytes as lie ready: the number of them */
int random_read(u32 user, u32 length);	/* waits for them; length or -errno */
struct file *file_random(int *error);	/* /dev/random; NULL: -errno in *error */

/* ---- net/ ------------------------------------------------------------------- */
/* Makes the network ready for use, once; false: no memory.  Processes and probes. */
bool net_start(void);
/* What "ip=" on the command line says; NULL or empty: ask by DHCP, if there is a card. */
void net_begin(const char *address);
extern u32 net_wakes;			/* counts whatever somebody may have waited for */
void net_clock(void);			/* clock.c, each timer interrupt */
u32 net_text(char *to, u32 size);	/* /proc/net; returns its length */
/* Linux's socketcall(): args is a copy of the 6 arguments, f the file that args[0] names
 * or NULL.  *opened: a new file for current, if that is the answer. */
int socket_call(u32 number, struct file *f, const u32 *args, struct file **opened);
/* count echoes of payload bytes to the gateway, one after the other; false: one of
 * them was not answered, or there is no card, address or gateway.  Sleeps. */
bool net_echoes(u32 count, u32 payload);

/* ---- selftest.c, bench.c ------------------------------------------------- */
void selftest_run(const char *pattern) __attribute__((noreturn));
void bench_run(void) __attribute__((noreturn));

#endif
