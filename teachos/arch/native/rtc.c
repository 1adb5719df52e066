/* SPDX-License-Identifier: MIT */
/*G:174 The clock with the battery
 *
 * Which year is it?  A Guest is told (lguest_data.time); a PC has a wristwatch chip with a
 * battery, the MC146818, which goes on counting while everything else is switched off.
 * Two ports: the number of a register, its value.  Usually it counts in decimal, a digit
 * in each half byte; and since it may change in the middle of our reading, we read until
 * two readings agree.  Its years have two digits.  We take them to be of this century, and
 * the time to be UTC.
 */
#include "native.h"

#define RTC_INDEX	0x70u
#define RTC_DATA	0x71u
#define SECONDS		0u
#define MINUTES		2u
#define HOURS		4u
#define DAY		7u
#define MONTH		8u
#define YEAR		9u
#define STATUS_A	10u
#define STATUS_B	11u
#define CHANGING	0x80u		/* A */
#define IS_BINARY	0x04u		/* B */
#define IS_24_HOURS	0x02u		/* B */
#define AFTERNOON	0x80u		/* in HOURS, if they are twelve */

struct date {
	u8 year, month, day, hours, minutes, seconds;
};

static u8 rtc_register(u32 number)
{
	outb(RTC_INDEX, number);
	return inb(RTC_DATA);
}

static struct date read_once(void)
{
	u32 patience = 100000;

	while (rtc_register(STATUS_A) & CHANGING && --patience)
		;
	return (struct date){
		rtc_register(YEAR), rtc_register(MONTH), rtc_register(DAY),
		rtc_register(HOURS), rtc_register(MINUTES), rtc_register(SECONDS),
	};
}

static u8 plain_number(u8 value, u8 status)
{
	return status & IS_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

/* Days from 1970-01-01 to a day of the Gregorian calendar, years 1970 to 2099. */
static u32 days_to(u32 year, u32 month, u32 day)
{
	static const u16 before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	u32 leap_days = (year - 1969) / 4 + (year % 4 == 0 && month > 2);

	return (year - 1970) * 365 + leap_days + before[(month - 1) % 12] + day - 1;
}

u32 rtc_seconds(void)
{
	struct date now = read_once(), before;
	u8 status = rtc_register(STATUS_B), hours;
	u32 patience = 10;

	do {
		before = now;
		now = read_once();
	} while (memcmp(&before, &now, sizeof(now)) && --patience);
	hours = plain_number(now.hours & ~AFTERNOON, status);
	if (!(status & IS_24_HOURS))
		hours = hours % 12 + (now.hours & AFTERNOON ? 12 : 0);
	return ((days_to(2000 + plain_number(now.year, status), plain_number(now.month, status),
			 plain_number(now.day, status)) * 24 + hours) * 60 +
		plain_number(now.minutes, status)) * 60 + plain_number(now.seconds, status);
}
/*:*/
