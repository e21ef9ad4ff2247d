/* tests/unit/test_base.c: numbers, durations, addresses, the sanitiser and the codec. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/num.h"
#include "base/text.h"
#include "base/ulid.h"

static void
numbers_are_strict(void **state)
{
	static const struct { const char *text; int rc; } cases[] = {
		{ "0", 0 }, { "100", 0 }, { "101", -ERANGE }, { "", -EINVAL }, { "-1", -EINVAL }, { "+1", -EINVAL }, { " 1", -EINVAL },
		{ "1 ", -EINVAL }, { "0x1", -EINVAL }, { "18446744073709551616", -ERANGE },
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("\"%s\"\n", cases[i].text);
		assert_int_equal(num_parse(cases[i].text, 0, 100, &v), cases[i].rc);
	}
}

static void
durations_read_and_print(void **state)
{
	static const struct { const char *text; uint64_t ms; const char *back; } good[] = {
		{ "300s", 300000, "5m" }, { "90s", 90000, "90s" }, { "12h", 43200000, "12h" }, { "24h", 86400000, "1d" }, { "250ms", 250, "250ms" }, { "0s", 0, "0s" },
	};
	static const char *const bad[] = { "", "s", "5", "5 m", "5min", "-5m", "5.5s", "99999999999999999999d" };
	char text[24];
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < nitems(good); i++) {
		assert_int_equal(duration_parse(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
		assert_string_equal(duration_text(ms, text), good[i].back);
	}
	for (size_t i = 0; i < nitems(bad); i++)
		assert_true(duration_parse(bad[i], &ms) < 0);
	assert_string_equal(duration_words(3660000, text), "1 h 1 min");
	assert_string_equal(duration_words(12000, text), "12 s");
}

static void
addresses_round_trip(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "192.0.2.7", "192.0.2.7" }, { "192.0.2.7:161", "192.0.2.7" }, { "192.0.2.7:1161", "192.0.2.7:1161" },
		{ "2001:db8::7", "2001:db8::7" }, { "[2001:db8::7]:1161", "[2001:db8::7]:1161" }, { "[::1]", "::1" },
	};
	static const char *const bad[] = { "", "host", "192.0.2.7:", "192.0.2.7:0", "192.0.2.7:65536", "[192.0.2.7]:161", "[::1", "[::1]x", "1.2.3" };
	struct ip_port a;
	char text[IP_TEXT];

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].in);
		assert_int_equal(ip_port_parse(cases[i].in, 161, &a), 0);
		assert_string_equal(ip_port_text(&a, 161, text), cases[i].out);
	}
	for (size_t i = 0; i < nitems(bad); i++)
		assert_int_equal(ip_port_parse(bad[i], 161, &a), -EINVAL);
}

static void
device_text_is_cleaned(void **state)
{
	static const struct { const char *name, *in; size_t n; const char *out; } cases[] = {
		{ "plain",		"HIKVISION", 9, "HIKVISION" },
		{ "blanks and lines",	" a\r\n\t b ", 8, "a b" },
		{ "NULs",		"sw1\0\0\0", 6, "sw1" },
		{ "escape codes",	"\x1b[2Jx", 5, "[2Jx" },
		{ "Latin-1",		"Caf\xe9", 4, "Caf\xc3\xa9" },
		{ "bidi override",	"a\xe2\x80\xae" "b", 5, "ab" },
		{ "zero width",		"a\xe2\x80\x8b" "b", 5, "ab" },
		{ "overlong is Latin-1", "\xc0\xaf", 2, "\xc3\x80\xc2\xaf" },
		{ "too long",		"0123456789abcdef", 16, "012345678\xe2\x80\xa6" },
		{ "cut between characters", "0123456\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 15, "0123456\xc3\xa9\xe2\x80\xa6" },
	};
	char out[13];

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].name);
		assert_int_equal(text_clean(out, sizeof out, cases[i].in, cases[i].n), strlen(cases[i].out));
		assert_string_equal(out, cases[i].out);
	}
	text_cut(out, sizeof out, "0123456\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
	assert_string_equal(out, "0123456\xc3\xa9\xe2\x80\xa6");
}

static void
a_get_past_the_end_is_sticky(void **state)
{
	struct buf b = { 0 };
	struct msg_in m;
	char *s;

	(void)state;
	put_u8(&b, 7);
	put_u16(&b, 0x1234);
	put_u64(&b, UINT64_MAX - 1);
	put_text(&b, "abc");
	m = msg_in_of(b.p, b.len);
	assert_int_equal(get_u8(&m), 7);
	assert_int_equal(get_u16(&m), 0x1234);
	assert_true(get_u64(&m) == UINT64_MAX - 1);
	s = get_text(&m, 3);
	assert_string_equal(s, "abc");
	assert_true(msg_in_done(&m));
	assert_int_equal(get_u32(&m), 0);
	assert_true(m.bad);
	assert_int_equal(get_u8(&m), 0);
	for (size_t n = 0; n < b.len; n++) {
		m = msg_in_of(b.p, n);
		get_u8(&m), get_u16(&m), get_u64(&m);
		assert_null(get_text(&m, 3));
		assert_true(m.bad);
	}
	free(s);
	buf_free(&b);
}

static void
times_and_ids(void **state)
{
	static const uint8_t random[10] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct wall t;
	char text[WALL_TEXT], id[ULID_TEXT];

	(void)state;
	assert_int_equal(wall_parse("2026-11-24T00:21:11.042Z", &t), 0);
	assert_string_equal(wall_text(t, text), "2026-11-24T00:21:11.042Z");
	assert_int_equal(wall_parse("2026-11-24", &t), 0);
	assert_string_equal(wall_text(t, text), "2026-11-24T00:00:00.000Z");
	assert_int_equal(wall_parse("yesterday", &t), -EINVAL);
	assert_int_equal(wall_parse("2026-11-24x", &t), -EINVAL);
	/* 2016-07-30T23:54:10.259Z is 01ARYZ6S41 in the ULID specification's example. */
	ulid_text((struct wall){ 1469918176385000 }, random, id);
	assert_string_equal(id, "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_strict), cmocka_unit_test(durations_read_and_print), cmocka_unit_test(addresses_round_trip),
		cmocka_unit_test(device_text_is_cleaned), cmocka_unit_test(a_get_past_the_end_is_sticky), cmocka_unit_test(times_and_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
