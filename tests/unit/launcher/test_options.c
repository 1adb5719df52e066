// SPDX-License-Identifier: MIT
/* What people type, and what they mistype. */
#include <unistd.h>

#include "test.h"

static struct options o;
static struct complaint c;

/* Splits at spaces: none of the words here contains one. */
static int parse(const char *line)
{
	static char copy[4096];
	static char *word[64];
	int n = 0;

	snprintf(copy, sizeof(copy), "launcher %s", line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		word[n++] = w;
	word[n] = NULL;
	memset(&c, 0, sizeof(c));
	return options_parse(&o, n, word, &c);
}

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("teachos.elf"), 0);
	assert_int_equal(o.memory, 64);
	assert_string_equal(o.kernel, "teachos.elf");
	assert_string_equal(o.command_line, "");
	assert_null(o.initrd);
	assert_null(o.stats);
	assert_true(o.timeout == 0);
	assert_int_equal(o.capsule, CAPSULE_AUTO);
	assert_false(o.verbose);
	assert_int_equal(o.disks, 0);
	assert_false(o.rng);
}

static void disks(void **state)
{
	(void)state;
	assert_int_equal(parse("--block=a.img --rng --block b,c,ro --block=ro --block=,roo k"), 0);
	assert_int_equal(o.disks, 4);
	assert_string_equal(o.disk[0].name, "a.img");
	assert_false(o.disk[0].read_only);
	assert_string_equal(o.disk[1].name, "b,c");
	assert_true(o.disk[1].read_only);
	assert_string_equal(o.disk[2].name, "ro");
	assert_false(o.disk[2].read_only);
	assert_string_equal(o.disk[3].name, ",roo");
	assert_false(o.disk[3].read_only);
	assert_true(o.rng);
	assert_int_equal(parse("--block=1 --block=2 --block=3 --block=4 --block=5 --block=6 "
			       "--block=7 --block=8 --block=9 --block=a --block=b --block=c k"), 0);
	assert_int_equal(o.disks, DISKS_MAX);
	assert_string_equal(o.disk[11].name, "c");
}

/* ---- Networks ---- */

static void networks(void **state)
{
	const struct net_wish *w = o.net;

	(void)state;
	assert_int_equal(parse("--net=user,hostfwd=tcp::8080-:80,hostfwd=udp:127.0.0.1:65535-"
			       "10.0.2.99:1,mac=02:aB:00:00:00:fF --tunnet 192.168.19.1 "
			       "--tunnet=10.1.2.3/30,mac=fe:00:00:00:00:01 --tunnet=bridge:br0 k"), 0);
	assert_int_equal(o.nets, 4);
	assert_int_equal(w[0].kind, NET_USER);
	assert_int_equal(w[0].forwards, 2);
	assert_false(w[0].forward[0].udp);
	assert_int_equal(w[0].forward[0].host_addr.s_addr, 0);
	assert_int_equal(w[0].forward[0].host_port, 8080);
	assert_int_equal(ntohl(w[0].forward[0].guest_addr.s_addr), 0x0a00020f);
	assert_int_equal(w[0].forward[0].guest_port, 80);
	assert_true(w[0].forward[1].udp);
	assert_int_equal(ntohl(w[0].forward[1].host_addr.s_addr), 0x7f000001);
	assert_int_equal(w[0].forward[1].host_port, 65535);
	assert_int_equal(ntohl(w[0].forward[1].guest_addr.s_addr), 0x0a000263);
	assert_int_equal(w[0].forward[1].guest_port, 1);
	assert_true(w[0].has_mac);
	assert_memory_equal(w[0].mac, "\x02\xab\0\0\0\xff", 6);
	assert_int_equal(w[1].kind, NET_TAP);
	assert_int_equal(ntohl(w[1].addr.s_addr), 0xc0a81301);
	assert_int_equal(w[1].bits, 24);
	assert_false(w[1].has_mac);
	assert_int_equal(w[2].bits, 30);
	assert_int_equal(w[2].mac[0], 0xfe);
	assert_int_equal(w[3].kind, NET_BRIDGE);
	assert_string_equal(w[3].name, "br0");
	assert_int_equal(parse("--net user k"), 0);
	assert_int_equal(o.nets, 1);
	assert_int_equal(o.net[0].forwards, 0);
	assert_int_equal(parse("--net raw:eth0,mac=02:00:00:00:00:00 k"), 0);
	assert_int_equal(o.net[0].kind, NET_RAW);
	assert_string_equal(o.net[0].name, "eth0");
	assert_int_equal(parse("--net=cable:/tmp/c,mac=02:00:00:00:00:00 k"), 0);
	assert_int_equal(o.net[0].kind, NET_CABLE);
	assert_string_equal(o.net[0].path, "/tmp/c");
}

#define FWD "--net=user,hostfwd="
#define TENTH "0123456789"
#define CABLE TENTH TENTH TENTH TENTH TENTH TENTH TENTH TENTH TENTH "01"
#define TEN FWD "tcp::1-:1,hostfwd=tcp::2-:1,hostfwd=tcp::3-:1,hostfwd=tcp::4-:1,hostfwd=tcp::5-:1"

static void bad_networks(void **state)
{
	static const struct { const char *line, *says; } bad[] = {
		{ "--net=usr", "--net=usr: there is no such network; expected user, raw:CARD or" },
		{ "--net=", "needs a value" },
		{ "--net=,", "--net=: there is no such network" },
		{ "--net=User", "no such network" },
		{ "--net=user:80", "no such network" },
		{ "--net=user,", "'' is nothing that --net=user knows" },
		{ "--net=user,hostfw=tcp::80-:80", "'hostfw=tcp::80-:80' is nothing" },
		{ "--net=user,hostfwd", "'hostfwd' is nothing" },
		{ "--net=cable:", "expected a name of 1 to 91 bytes" },
		{ "--net=cable:" CABLE, "expected a name of 1 to 91 bytes" },
		{ "--net=cable:c,ro", "'ro' is nothing" },
		{ "--net=raw:", "'': expected a name of 1 to 15 letters" },
		{ "--net=raw:../eth0", "expected a name" },
		{ "--net=raw:abcdefghijklmnop", "expected a name" },
		{ "--net=raw:eth0,hostfwd=tcp::1-:1", "'hostfwd=tcp::1-:1' is nothing" },
		{ FWD, "no ':' after ''" },
		{ FWD "tcp", "no ':' after 'tcp'" },
		{ FWD "tcp:8080-:80", "HOSTADDR '8080-': expected an address" },
		{ FWD "tcp::8080:80", "no '-' after '8080:80'" },
		{ FWD "tcp::8080-80", "no ':' after '80'" },
		{ FWD "tcp::8080", "no '-' after '8080'" },
		{ FWD "tpc::8080-:80", "'tpc' is neither tcp nor udp" },
		{ FWD "::8080-:80", "'' is neither" },
		{ FWD "tcp:localhost:8080-:80", "HOSTADDR 'localhost'" },
		{ FWD "tcp:256.0.0.1:8080-:80", "HOSTADDR '256.0.0.1'" },
		{ FWD "tcp::0-:80", "HOSTPORT '0': expected 1 to 65535" },
		{ FWD "tcp::65536-:80", "HOSTPORT '65536'" },
		{ FWD "tcp::-:80", "HOSTPORT ''" },
		{ FWD "tcp::+80-:80", "HOSTPORT '+80'" },
		{ FWD "tcp::http-:80", "HOSTPORT 'http'" },
		{ FWD "tcp::80-:", "GUESTPORT ''" },
		{ FWD "tcp::80-:080808", "GUESTPORT '080808'" },
		{ FWD "tcp::80-:4294967376", "GUESTPORT '4294967376'" },
		{ FWD "tcp::80-:80:80", "GUESTPORT '80:80'" },
		{ FWD "tcp::80-10.0.3.15:80", "GUESTADDR '10.0.3.15': expected an address of 10.0.2" },
		{ FWD "tcp::80-guest:80", "GUESTADDR 'guest'" },
		{ TEN ",hostfwd=tcp::6-:1,hostfwd=tcp::7-:1,hostfwd=tcp::8-:1,hostfwd=tcp::9-:1,"
		  "hostfwd=tcp::10-:1,hostfwd=tcp::11-:1,hostfwd=tcp::12-:1,hostfwd=tcp::13-:1,"
		  "hostfwd=tcp::14-:1,hostfwd=tcp::15-:1,hostfwd=tcp::16-:1,hostfwd=tcp::17-:1",
		  "at most 16 forwards" },
		{ "--net=user,mac=", "'mac=': expected six bytes" },
		{ "--net=user,mac=02:00:00:00:00", "expected six bytes" },
		{ "--net=user,mac=02:00:00:00:00:0g", "expected six bytes" },
		{ "--net=user,mac=02:00:00:00:00:00:00", "expected six bytes" },
		{ "--net=user,mac=02::00:00:00:0:00:00", "expected six bytes" },
		{ "--net=user,mac=01:00:00:00:00:00", "the address of a group" },
		{ "--tunnet=user", "expected an address for the Host's side" },
		{ "--tunnet=bridge", "expected an address" },
		{ "--tunnet=bridge:", "expected a name" },
		{ "--tunnet=192.168.19", "--tunnet=192.168.19: expected an address" },
		{ "--tunnet=192.168.19.1/", "BITS '': expected 1 to 30" },
		{ "--tunnet=192.168.19.1/31", "BITS '31'" },
		{ "--tunnet=192.168.19.1/0", "BITS '0'" },
		{ "--tunnet=192.168.19.1/24/24", "BITS '24/24'" },
		{ "--tunnet=10.0.0.1,ro", "'ro' is nothing" },
		{ "--net=user --net=user,hostfwd=tcp::1-:1", "--net=user was given before" },
		{ "--tunnet=10.0.0.1 --tunnet=10.0.1.1 --tunnet=10.0.2.1 --tunnet=10.0.3.1 --net=user",
		  "--net=user: a Guest can have at most 4 networks" },
		{ "--tunet=10.0.0.1", "did you mean --tunnet?" },
		{ "--nett=user", "did you mean --net?" },
	};
	char line[1024];

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status;

		snprintf(line, sizeof(line), "%s k", bad[i].line);
		status = parse(line);
		if (status != STATUS_USAGE || c.status != status || !strstr(c.text, bad[i].says))
			fail_msg("'%s': status %d, '%s'", bad[i].line, status, c.text);
	}
}

static void everything(void **state)
{
	(void)state;
	assert_int_equal(parse("--memory=128 --initrd=a.cpio --verbose --stats=s.json "
			       "--timeout=2.5 --capsule=never k.elf one two"), 0);
	assert_int_equal(o.memory, 128);
	assert_string_equal(o.initrd, "a.cpio");
	assert_string_equal(o.stats, "s.json");
	assert_true(o.verbose);
	assert_true(o.timeout == 2.5);
	assert_null(o.trace);
	assert_int_equal(o.capsule, CAPSULE_NEVER);
	assert_string_equal(o.kernel, "k.elf");
	assert_int_equal(o.kernel_index, 7);
	assert_string_equal(o.command_line, "one two");
	assert_int_equal(parse("--trace=t.json k"), 0);
	assert_string_equal(o.trace, "t.json");
	assert_int_equal(o.trace_filter, TRACE_SHOW_ALL);
	assert_int_equal(parse("--trace-filter=fault,hypercall --trace - k"), 0);
	assert_string_equal(o.trace, "-");
	assert_int_equal(o.trace_filter, TRACE_SHOW_FAULT | TRACE_SHOW_HYPERCALL);
}

static void memory_in_front(void **state)
{
	(void)state;
	assert_int_equal(parse("32 k.elf"), 0);
	assert_int_equal(o.memory, 32);
	assert_string_equal(o.kernel, "k.elf");
	assert_int_equal(parse("1G k.elf 64"), 0);
	assert_int_equal(o.memory, 1024);
	assert_string_equal(o.command_line, "64");
	assert_int_equal(parse("--memory 16M k.elf"), 0);
	assert_int_equal(o.memory, 16);
}

static void guest_options_are_the_guests(void **state)
{
	(void)state;
	assert_int_equal(parse("k.elf --verbose --memory=7 -x"), 0);
	assert_false(o.verbose);
	assert_int_equal(o.memory, 64);
	assert_string_equal(o.command_line, "--verbose --memory=7 -x");
	assert_int_equal(parse("-- k.elf"), 0);
	assert_string_equal(o.kernel, "k.elf");
}

/* A file whose name begins with a digit is a kernel, if it is there. */
static void kernel_with_a_digit(void **state)
{
	char name[] = "9kernel-XXXXXX", line[64];
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(line, sizeof(line), "%s go", name);
	assert_int_equal(parse(line), 0);
	unlink(name);
	assert_string_equal(o.kernel, name);
	assert_int_equal(o.memory, 64);
	assert_int_equal(parse(line), STATUS_NOT_A_NUMBER);
}

static const struct { const char *line; int status; const char *says; } bad[] = {
	{ "", STATUS_USAGE, "no kernel" },
	{ "64", STATUS_USAGE, "no kernel" },
	{ "--memroy=64 k", STATUS_USAGE, "did you mean --memory?" },
	{ "--tiemout=6 k", STATUS_USAGE, "did you mean --timeout?" },
	{ "--stat=f k", 0, "" },				/* an abbreviation is no typo */
	{ "--verbos k", 0, "" },
	{ "--initd=f k", STATUS_USAGE, "did you mean --initrd?" },
	{ "--frobnicate k", STATUS_USAGE, "--help lists them" },
	{ "--verbose --quiet --memory=3 k", STATUS_USAGE, "'--quiet' is no option" },
	{ "--verbose -64 k", STATUS_TOO_LITTLE, "'-64'" },
	{ "-v k", STATUS_USAGE, "'-v' is no option" },
	{ "--memory", STATUS_USAGE, "needs a value" },
	{ "--initrd= k", STATUS_USAGE, "needs a value" },
	{ "--stats= k", STATUS_USAGE, "needs a value" },
	{ "--verbose=3 k", STATUS_USAGE, "takes no value" },
	{ "--memory=1 --memory=2 k", STATUS_USAGE, "given before" },
	{ "--memory=1 2 k", STATUS_USAGE, "--memory said 1" },
	{ "--memory= k", STATUS_NOT_A_NUMBER, "''" },
	{ "--memory=lots k", STATUS_NOT_A_NUMBER, "'lots'" },
	{ "--memory=6x4 k", STATUS_NOT_A_NUMBER, "'x4' is no unit" },
	{ "--memory=1.5 k", STATUS_NOT_A_NUMBER, "'.5' is no unit" },
	{ "--memory=0x40 k", STATUS_NOT_A_NUMBER, "'x40' is no unit" },
	{ "--memory=64K k", STATUS_NOT_A_NUMBER, "'K' is no unit" },
	{ "--memory=- k", STATUS_NOT_A_NUMBER, "'-'" },
	{ "64q k", STATUS_NOT_A_NUMBER, "'q' is no unit" },
	{ "--memory=0 k", STATUS_TOO_LITTLE, "'0'" },
	{ "--memory=-0 k", STATUS_TOO_LITTLE, "'-0'" },
	{ "--memory=-64 k", STATUS_TOO_LITTLE, "'-64'" },
	{ "-64 k", STATUS_TOO_LITTLE, "'-64'" },
	{ "-5 k", STATUS_TOO_LITTLE, "'-5'" },
	{ "--memory=3073 k", STATUS_TOO_MUCH, "at most 3072" },
	{ "--memory=4G k", STATUS_TOO_MUCH, "at most 3072" },
	{ "--memory=4294967297 k", STATUS_TOO_MUCH, "at most 3072" },
	{ "--memory=18446744073709551617 k", STATUS_TOO_MUCH, "at most 3072" },
	{ "--timeout=0 k", STATUS_USAGE, "--timeout=0" },
	{ "--timeout=-1 k", STATUS_USAGE, "--timeout=-1" },
	{ "--timeout=nan k", STATUS_USAGE, "--timeout=nan" },
	{ "--timeout=inf k", STATUS_USAGE, "--timeout=inf" },
	{ "--timeout=0x10 k", STATUS_USAGE, "--timeout=0x10" },
	{ "--timeout=1.2.3 k", STATUS_USAGE, "--timeout=1.2.3" },
	{ "--timeout=1000001 k", STATUS_USAGE, "at most 1000000" },
	{ "--trace= k", STATUS_USAGE, "needs a value" },
	{ "--trace-filter=stay k", STATUS_USAGE, "there is no --trace" },
	{ "--trace=- --trace-filter=stay,fualt k", STATUS_USAGE, "'fualt' is none of stay" },
	{ "--trace=- --trace-filter=stay, k", STATUS_USAGE, "'' is none of" },
	{ "--trace=- --trace-filter=stay,fault k", 0, "" },
	{ "--block= k", STATUS_USAGE, "needs a value" },
	{ "--block=,ro k", STATUS_USAGE, "a file in front of ',ro'" },
	{ "--block=1 --block=2 --block=3 --block=4 --block=5 --block=6 --block=7 --block=8 "
	  "--block=9 --block=10 --block=11 --block=12 --block=d,ro k", STATUS_USAGE,
	  "--block=d,ro: a Guest can have at most 12 disks" },
	{ "--blok=a k", STATUS_USAGE, "did you mean --block?" },
	{ "--rng=3 k", STATUS_USAGE, "takes no value" },
	{ "--capsule=yes k", STATUS_USAGE, "never, always or auto" },
	{ "--save= k", STATUS_USAGE, "needs a value" },
	{ "--save=s --gdb k", STATUS_USAGE, "not together with --gdb" },
	{ "--save=s", STATUS_USAGE, "no kernel" },
	{ "--restore=s", 0, "" },
	{ "--restore=s k", 0, "" },
	{ "--restore=s k word", STATUS_USAGE, "'word': the Guest in s has had its arguments" },
	{ "--restore=s --initrd=i", STATUS_USAGE, "no KERNEL" },
	{ "--restor=s k", 0, "" },
};

static void typos(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = parse(bad[i].line);

		if (status != bad[i].status || !strstr(c.text, bad[i].says))
			fail_msg("'%s': status %d, '%s'", bad[i].line, status, c.text);
		if (status)
			assert_int_equal(c.status, status);
	}
}

static void largest_memory(void **state)
{
	(void)state;
	assert_int_equal(parse("3072 k"), 0);
	assert_int_equal(parse("3G k"), 0);
	assert_int_equal(o.memory, 3072);
	assert_int_equal(parse("1 k"), 0);
	assert_int_equal(o.memory, 1);
}

static void long_arguments(void **state)
{
	static char word[COMMAND_LINE_MAX + 2];
	char *argv[] = { "launcher", "k", word, NULL };

	(void)state;
	memset(word, 'a', COMMAND_LINE_MAX);
	assert_int_equal(options_parse(&o, 3, argv, &c), 0);
	assert_int_equal(strlen(o.command_line), 2047);
	word[COMMAND_LINE_MAX] = 'a';
	assert_int_equal(options_parse(&o, 3, argv, &c), STATUS_USAGE);
	assert_non_null(strstr(c.text, "2047"));
}

/* The space between two words counts as well. */
static void long_arguments_in_two(void **state)
{
	static char one[1024], two[1025];
	char *argv[] = { "launcher", "k", one, two, NULL };

	(void)state;
	memset(one, 'a', 1023);
	memset(two, 'b', 1023);
	assert_int_equal(options_parse(&o, 4, argv, &c), 0);
	assert_int_equal(strlen(o.command_line), 2047);
	two[1023] = 'b';
	assert_int_equal(options_parse(&o, 4, argv, &c), STATUS_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults), TEST(everything), TEST(disks), TEST(networks),
		TEST(bad_networks), TEST(memory_in_front),
		TEST(guest_options_are_the_guests), TEST(kernel_with_a_digit), TEST(typos),
		TEST(largest_memory), TEST(long_arguments), TEST(long_arguments_in_two),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
