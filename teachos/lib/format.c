/* SPDX-License-Identifier: MIT */
/*G:197 printf, from the inside
 *
 * Formatted printing without a buffer: each character goes out as it is made, so the
 * same engine serves the console, a string, and a panic that has no time for more.
 :*/
#include "lib.h"

struct spec {
	bool left, zero;
	int width;
};

static int pad(void (*put)(char, void *), void *arg, char c, int n)
{
	int done;

	for (done = 0; done < n; done++)
		put(c, arg);
	return done;
}

static int put_text(void (*put)(char, void *), void *arg, const struct spec *spec,
		    const char *text, int length)
{
	int room = spec->width - length, count = length;

	if (room > 0 && !spec->left)
		count += pad(put, arg, ' ', room);
	while (length--)
		put(*text++, arg);
	if (room > 0 && spec->left)
		count += pad(put, arg, ' ', room);
	return count;
}

static int put_number(void (*put)(char, void *), void *arg, const struct spec *spec,
		      u64 value, u32 base, bool minus)
{
	char digits[24];
	int n = 0, count = 0;
	u32 digit;

	do {
		value = div64(value, base, &digit);
		digits[sizeof(digits) - ++n] = "0123456789abcdef"[digit];
	} while (value);
	if (spec->zero && !spec->left) {
		if (minus)
			put('-', arg);
		count = minus + pad(put, arg, '0', spec->width - n - minus);
		while (n) {
			put(digits[sizeof(digits) - n--], arg);
			count++;
		}
		return count;
	}
	if (minus)
		digits[sizeof(digits) - ++n] = '-';
	return put_text(put, arg, spec, digits + sizeof(digits) - n, n);
}

static int put_conversion(void (*put)(char, void *), void *arg, const struct spec *spec,
			  char what, bool wide, va_list *ap)
{
	const char *s;
	int d;
	char c;

	switch (what) {
	case 's':
		s = va_arg(*ap, const char *);
		s = s ? s : "(null)";
		return put_text(put, arg, spec, s, strlen(s));
	case 'c':
		c = va_arg(*ap, int);
		return put_text(put, arg, spec, &c, 1);
	case 'd':
		d = va_arg(*ap, int);
		return put_number(put, arg, spec, d < 0 ? -(u32)d : (u32)d, 10, d < 0);
	case 'u':
		return put_number(put, arg, spec,
				  wide ? va_arg(*ap, u64) : va_arg(*ap, u32), 10, false);
	case 'x':
		return put_number(put, arg, spec,
				  wide ? va_arg(*ap, u64) : va_arg(*ap, u32), 16, false);
	case 'p':
		return put_number(put, arg, &(struct spec){.zero = true, .width = 8},
				  (u32)va_arg(*ap, void *), 16, false);
	}
	put(what, arg);		/* "%%", or a letter we never learned */
	return 1;
}

int format(void (*put)(char, void *), void *arg, const char *fmt, va_list args)
{
	int count = 0;
	va_list ap;

	va_copy(ap, args);
	for (; *fmt; fmt++) {
		struct spec spec = {0};
		bool wide = false;

		if (*fmt != '%') {
			put(*fmt, arg);
			count++;
			continue;
		}
		for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) {
			spec.left |= *fmt == '-';
			spec.zero |= *fmt == '0';
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			spec.width = spec.width * 10 + *fmt - '0';
		if (fmt[0] == 'l' && fmt[1] == 'l') {
			wide = true;
			fmt += 2;
		}
		if (!*fmt)
			break;
		count += put_conversion(put, arg, &spec, *fmt, wide, &ap);
	}
	va_end(ap);
	return count;
}

struct string_target {
	char *to;
	size_t used, size;
};

static void put_string(char c, void *arg)
{
	struct string_target *t = arg;

	if (t->used + 1 < t->size)
		t->to[t->used++] = c;
}

int vsnformat(char *to, size_t size, const char *fmt, va_list ap)
{
	struct string_target target = {to, 0, size};
	int count = format(put_string, &target, fmt, ap);

	if (size)
		to[target.used] = '\0';
	return count;
}

int snformat(char *to, size_t size, const char *fmt, ...)
{
	va_list ap;
	int count;

	va_start(ap, fmt);
	count = vsnformat(to, size, fmt, ap);
	va_end(ap);
	return count;
}
