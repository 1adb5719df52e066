/* SPDX-License-Identifier: MIT */
/*M:425 Knocking at the door
 *
 * Between Launcher and Host there is a contract, too: include/lguest_user.h.  Our
 * Launcher keeps it, so it is a poor test of what happens when somebody does not.  This
 * program is the other kind of Launcher.  It says CREATE twice, RUN from the wrong
 * thread, gives memory with a hole in it, and looks at what it is told.
 *
 * One line a test, `ok NAME` or `not ok NAME: why`.
 *:*/
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lguest_user.h"

#define PAGES	16u
#define PAGE	4096u

static int failures;

static void check(const char *name, int good, const char *format, long a, long b)
{
	if (good) {
		printf("ok %s\n", name);
		return;
	}
	failures++;
	printf("not ok %s: ", name);
	printf(format, a, b);
	printf("\n");
}

/* An ioctl that is expected to fail with `error`, or to return 0 for error 0. */
static void expect(const char *name, int fd, unsigned long request, unsigned long arg, int error)
{
	int r = ioctl(fd, request, arg);
	int got = r < 0 ? errno : 0;

	check(name, got == error, "errno %ld, expected %ld", got, error);
}

#define EXPECT(name, fd, request, pointer, error) \
	expect(name, fd, request, (unsigned long)(pointer), error)

static int open_device(void)
{
	int fd = open(LG_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("not ok open: %s: %s\n", LG_DEVICE_PATH, strerror(errno));
		_exit(1);
	}
	return fd;
}

static uint8_t *guest_memory(void)
{
	uint8_t *m = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		_exit(1);
	return m;
}

static struct lg_create creation(void *memory, uint32_t entry)
{
	return (struct lg_create) {
		.memory = (uintptr_t)memory, .pages = PAGES, .entry = entry,
		.interface = LG_INTERFACE,
	};
}

/* A Guest that is just these bytes, at guest-physical 0x1000. */
static int guest_of(const void *code, size_t size, uint8_t **memory)
{
	int fd = open_device();
	struct lg_create c;

	*memory = guest_memory();
	memcpy(*memory + 0x1000, code, size);
	c = creation(*memory, 0x1000);
	if (ioctl(fd, LG_IOC_CREATE, &c) < 0) {
		printf("not ok create: %s\n", strerror(errno));
		_exit(1);
	}
	return fd;
}

static void creating(void)
{
	uint8_t *memory = guest_memory();
	struct lg_create c = creation(memory, 0), bad;
	struct lg_state state;
	struct lg_run run;
	int fd;

	fd = open_device();
	check("INTERFACE", ioctl(fd, LG_IOC_INTERFACE) == LG_INTERFACE, "not %ld", LG_INTERFACE, 0);
	EXPECT("RUN before CREATE", fd, LG_IOC_RUN, &run, EINVAL);
	EXPECT("IRQ before CREATE", fd, LG_IOC_IRQ, 1, EINVAL);
	EXPECT("STATE before CREATE", fd, LG_IOC_STATE, &state, EINVAL);
	EXPECT("an ioctl that is none", fd, _IO('L', 99), 0, ENOTTY);
	EXPECT("CREATE from nowhere", fd, LG_IOC_CREATE, 8, EFAULT);
	bad = c;
	bad.interface++;
	EXPECT("another interface", fd, LG_IOC_CREATE, &bad, EPROTO);
	bad = c;
	bad.flags = LG_CREATE_RINGS << 1;
	EXPECT("a flag that is none", fd, LG_IOC_CREATE, &bad, EINVAL);
	EXPECT("after all that, CREATE", fd, LG_IOC_CREATE, &c, 0);
	EXPECT("CREATE twice", fd, LG_IOC_CREATE, &c, EBUSY);
	EXPECT("RUN into nowhere ends, and says so", fd, LG_IOC_RUN, 8, EFAULT);
	int other = ioctl(fd, LG_IOC_ANOTHER);

	check("ANOTHER is a descriptor", other > fd, "it is %ld, errno %ld", other, errno);
	check("which goes at exec", fcntl(other, F_GETFD) == FD_CLOEXEC, "flags %ld",
	      fcntl(other, F_GETFD), 0);
	EXPECT("and is a Guest of its own", other, LG_IOC_RUN, &run, EINVAL);
	close(fd);
	c = creation(memory, 0);
	EXPECT("that lives on without the first", other, LG_IOC_CREATE, &c, 0);
	EXPECT("and can be created once", other, LG_IOC_CREATE, &c, EBUSY);
	close(other);

	static const struct { const char *name; uint64_t shift; uint32_t pages; } wrong[] = {
		{ "no pages", 0, 0 },
		{ "more pages than a Guest can name", 0, 0x100000 },
		{ "memory off a page boundary", 1, PAGES },
		{ "memory that wraps", -(uint64_t)PAGE, PAGES },
		{ "memory of the kernel's", 0xffff800000000000, PAGES },
	};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		fd = open_device();
		bad = c;
		bad.memory = wrong[i].shift > PAGE ? wrong[i].shift : bad.memory + wrong[i].shift;
		bad.pages = wrong[i].pages;
		EXPECT(wrong[i].name, fd, LG_IOC_CREATE, &bad, EINVAL);
		close(fd);
	}
}

static const uint8_t spin[] = { 0xeb, 0xfe };			/* jmp $ */
static const uint8_t ud2[] = { 0x0f, 0x0b };

static void *runner(void *arg)
{
	int fd = *(int *)arg;
	struct lg_run run;

	return (void *)(long)(ioctl(fd, LG_IOC_RUN, &run) < 0 ? errno : 0);
}

static void nothing(int number)
{
	(void)number;
}

static void running(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct lg_eventfd e = { .gpa = 0x2000, .fd = -1 };
	struct lg_run run;
	pthread_t thread;
	uint8_t *memory;
	void *result;
	int fd = guest_of(spin, sizeof(spin), &memory);
	pid_t child;
	int status;

	pthread_create(&thread, NULL, runner, &fd);
	pthread_join(thread, &result);
	check("RUN from another thread", (long)result == EPERM, "errno %ld, expected %ld",
	      (long)result, EPERM);

	child = fork();
	if (child == 0)
		_exit(ioctl(fd, LG_IOC_RUN, &run) < 0 ? errno : 0);
	waitpid(child, &status, 0);
	check("RUN from a child", WIFEXITED(status) && WEXITSTATUS(status) == EPERM,
	      "status %ld, expected exit with %ld", status, EPERM);

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	EXPECT("a signal ends RUN, and the Guest lives", fd, LG_IOC_RUN, &run, EINTR);
	EXPECT("interrupt 31", fd, LG_IOC_IRQ, 31, 0);
	EXPECT("interrupt 32", fd, LG_IOC_IRQ, 32, EINVAL);
	EXPECT("interrupt -1", fd, LG_IOC_IRQ, -1, EINVAL);
	EXPECT("unbind what was not bound", fd, LG_IOC_EVENTFD, &e, ENOENT);
	e.fd = 0x7fff;
	EXPECT("an eventfd that is not open", fd, LG_IOC_EVENTFD, &e, EBADF);
	e.fd = open("/dev/null", O_RDWR);
	EXPECT("an eventfd that is a file", fd, LG_IOC_EVENTFD, &e, EINVAL);
	close(e.fd);
	e.gpa = 0;
	e.fd = eventfd(0, 0);
	EXPECT("NOTIFY(0) has no wire", fd, LG_IOC_EVENTFD, &e, EINVAL);
	for (e.gpa = 1; e.gpa < 1000; e.gpa++)
		if (ioctl(fd, LG_IOC_EVENTFD, &e) < 0)
			break;
	check("wires are bounded", e.gpa == 65 && errno == ENOSPC, "%ld fitted, errno %ld",
	      e.gpa - 1, errno);
	close(e.fd);
	close(fd);
	munmap(memory, PAGES * PAGE);
}

static int dies_of(int fd, const char *code, const char *text)
{
	struct lg_run run = { 0 };

	if (ioctl(fd, LG_IOC_RUN, &run) < 0 || run.what != LG_RUN_KILLED ||
	    strcmp(run.code, code) || !strstr(run.text, text)) {
		printf("# what %u, code '%s', text '%s'\n", run.what, run.code, run.text);
		return 0;
	}
	return 1;
}

static void dying(void)
{
	struct lg_stats stats;
	struct lg_state state;
	struct lg_run run;
	uint8_t *memory;
	int fd;

	fd = guest_of(ud2, sizeof(ud2), &memory);
	check("ud2 without a gate", dies_of(fd, "E-TRAP-03", "unhandled trap 6 at 0x1000"),
	      "see above", 0, 0);
	EXPECT("STATE of the dead", fd, LG_IOC_STATE, &state, 0);
	check("eip is where it died", state.regs.eip == 0x1000 && state.vector == 6,
	      "eip %#lx, vector %ld", state.regs.eip, state.vector);
	EXPECT("STATS of the dead", fd, LG_IOC_STATS, &stats, 0);
	check("one #UD", stats.exit_vector[6] == 1, "counted %ld", stats.exit_vector[6], 0);
	EXPECT("RUN the dead", fd, LG_IOC_RUN, &run, ENOENT);
	EXPECT("IRQ for the dead", fd, LG_IOC_IRQ, 1, ENOENT);
	close(fd);

	/* mov [0x8000], eax */
	static const uint8_t store[] = { 0xa3, 0x00, 0x80, 0x00, 0x00, 0xeb, 0xfe };

	fd = guest_of(store, sizeof(store), &memory);
	munmap(memory + 0x8000, PAGE);
	check("a hole in the memory", dies_of(fd, "E-MEM-04", "failed to get page 8"), "see above",
	      0, 0);
	close(fd);

	fd = guest_of(store, sizeof(store), &memory);
	mprotect(memory + 0x8000, PAGE, PROT_READ);
	check("memory that is read-only", dies_of(fd, "E-MEM-04", "failed to get page 8"),
	      "see above", 0, 0);
	close(fd);
}

/* What an ordinary user may lock, a Guest may have. */
static void limited(void)
{
	struct rlimit limit = { PAGE * (PAGES - 1), PAGE * (PAGES - 1) };
	pid_t child = fork();
	int status, fd;

	if (child == 0) {
		struct lg_create c = creation(guest_memory(), 0);

		fd = open_device();
		setrlimit(RLIMIT_MEMLOCK, &limit);
		if (setuid(65534))
			_exit(99);
		_exit(ioctl(fd, LG_IOC_CREATE, &c) < 0 ? errno : 0);
	}
	waitpid(child, &status, 0);
	check("RLIMIT_MEMLOCK", WIFEXITED(status) && WEXITSTATUS(status) == ENOMEM,
	      "status %ld, expected exit with %ld", status, ENOMEM);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	creating();
	running();
	dying();
	limited();
	return failures != 0;
}
