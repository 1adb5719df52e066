// SPDX-License-Identifier: MIT
/* What the resolver of TeachOS's programs asks, and what it believes (RFC 1035). */
#include "dns.h"
#include "test.h"

static const u8 question[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\3org\0\0\1\0\1";
#define QUESTION (sizeof(question) - 1)

static u8 answer[DNS_SIZE];
static u32 length;

static void begin(u8 code, u8 answers)
{
	memcpy(answer, question, QUESTION);
	answer[2] = 0x81;
	answer[3] = 0x80 | code;
	answer[7] = answers;
	length = QUESTION;
}

static void add(const char *bytes, u32 n)
{
	memcpy(answer + length, bytes, n);
	length += n;
}
#define ADD(text) add(text, sizeof(text) - 1)

/* An exact copy, so that a sanitizer sees who reads one byte too many. */
static enum dns_result take(u32 n, u32 *ip)
{
	u8 *copy = malloc(n ? n : 1);
	enum dns_result result;

	memcpy(copy, answer, n);
	result = dns_answer(copy, n, question, QUESTION, ip);
	free(copy);
	return result;
}

static void questions(void **state)
{
	static const char *const bad[] = {
		"", ".", "a..b", ".a", "a..",
		"a123456789012345678901234567890123456789012345678901234567890123.org",
	};
	u8 got[DNS_SIZE];
	char name[300];
	u32 i;

	(void)state;
	assert_int_equal(dns_question(got, "www.example.org", 0x1234), QUESTION);
	assert_memory_equal(got, question, QUESTION);
	assert_int_equal(dns_question(got, "www.example.org.", 0x1234), QUESTION);
	assert_memory_equal(got, question, QUESTION);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (dns_question(got, bad[i], 1))
			fail_msg("'%s' was taken for a name", bad[i]);
	for (i = 1; i < 300; i++) {
		memset(name, 'x', i - 1);
		for (u32 k = 50; k < i - 1; k += 50)
			name[k] = '.';
		name[i - 1] = '\0';
		assert_true(dns_question(got, name, 1) <= 12 + 255 + 4);
	}
	assert_int_equal(dns_question(got, name, 1), 0);	/* RFC 1035: 255 at most */
}

static void answers(void **state)
{
	u32 ip = 0, cut;

	(void)state;
	begin(0, 2);		/* an alias, by pointer, then its address, by a whole name */
	ADD("\xc0\x0c\0\5\0\1\0\0\0\x10\0\6\3abc\xc0\x10");
	ADD("\3abc\7example\3org\0\0\1\0\1\0\0\0\x10\0\4\1\2\3\4");
	assert_int_equal(take(length, &ip), DNS_FOUND);
	assert_int_equal(ip, 0x01020304);
	for (cut = 0; cut < length; cut++)
		assert_int_not_equal(take(cut, &ip), DNS_FOUND);
	answer[12 + 1] = 'W';	/* the resolver shouts */
	assert_int_equal(take(length, &ip), DNS_FOUND);
	answer[12 + 1] = 'x';	/* and that is another question */
	assert_int_equal(take(length, &ip), DNS_NOT_MINE);
	answer[12 + 1] = 'w';
	answer[1]++;
	assert_int_equal(take(length, &ip), DNS_NOT_MINE);
	answer[1]--;
	answer[2] &= 0x7f;	/* a question */
	assert_int_equal(take(length, &ip), DNS_NOT_MINE);
	begin(3, 0);
	assert_int_equal(take(length, &ip), DNS_NO_SUCH_NAME);
	begin(0, 0);
	assert_int_equal(take(length, &ip), DNS_NO_ADDRESS);
	begin(0, 1);
	ADD("\xc0\x0c\0\x1c\0\1\0\0\0\x10\0\x10" "0123456789abcdef");	/* of the other kind */
	assert_int_equal(take(length, &ip), DNS_NO_ADDRESS);
	begin(0, 1);
	ADD("\xc0\x0c\0\1\0\1\0\0\0\x10\0\5\1\2\3\4\5");
	assert_int_equal(take(length, &ip), DNS_NO_ADDRESS);
}

static void fuzz(void **state)
{
	u32 round, i, ip, found = 0;

	(void)state;
	random_start("dns/fuzz");
	for (round = 0; round < 100000; round++) {
		begin(0, below(4));
		for (i = below(3); i; i--)
			ADD("\xc0\x0c\0\5\0\1\0\0\0\x10\0\6\3abc\xc0\x10");
		ADD("\3abc\7example\3org\0\0\1\0\1\0\0\0\x10\0\4\1\2\3\4");
		for (i = below(5); i; i--)
			answer[QUESTION + below(length - QUESTION)] = below(2) ? 0xc0 : random32();
		if (below(4) == 0)
			length = below(length + 1);
		found += take(length, &ip) == DNS_FOUND;
	}
	assert_true(found > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(questions), TEST(answers), TEST(fuzz)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
