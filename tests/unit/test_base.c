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
#include "draw.h"

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
		{ "bidi isolate",	"a\xe2\x81\xa6" "b", 5, "ab" },
		{ "Arabic letter mark",	"a\xd8\x9c" "b", 4, "ab" },
		{ "byte order mark",	"\xef\xbb\xbf" "ab", 5, "ab" },
		{ "Hangul filler",	"a\xe3\x85\xa4" "b", 5, "ab" },
		{ "variation selector",	"a\xef\xb8\x8f" "b", 5, "ab" },
		{ "tag characters",	"a\xf3\xa0\x81\x81" "b", 6, "ab" },
		{ "no character",	"a\xef\xbf\xbf" "b", 5, "ab" },
		{ "C1 as UTF-8",	"a\xc2\x9b" "31m", 6, "a31m" },
		{ "C1 as one octet",	"a\x9b" "31m", 5, "a31m" },
		{ "DEL",		"a\x7f" "b", 3, "ab" },
		{ "next line is a blank", "a\xc2\x85" "b", 4, "a b" },
		{ "no-break blanks",	"a\xc2\xa0\xe2\x80\xaf" "b", 7, "a b" },
		{ "nothing to show",	"\xe2\x80\x8b \x01", 5, "" },
		{ "surrogate is Latin-1", "\xed\xa0\x80", 3, "\xc3\xad" },
		{ "cut by a protocol",	"\xc3\xa9t\xc3\xa9 \xe2\x82", 8, "\xc3\xa9t\xc3\xa9" },
		{ "Latin-1 at the end",	"ABC \xe9", 5, "ABC \xc3\xa9" },
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

/* The next character of what must be UTF-8, written anew from RFC 3629's table; fails on anything else. */
static uint32_t
character(const uint8_t **p)
{
	static const struct { uint8_t lead_from, lead_to, second_from, second_to; int more; } forms[] = { { 0x01, 0x7f, 0, 0, 0 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 1 }, { 0xe0, 0xe0, 0xa0, 0xbf, 2 }, { 0xe1, 0xec, 0x80, 0xbf, 2 }, { 0xed, 0xed, 0x80, 0x9f, 2 },
		{ 0xee, 0xef, 0x80, 0xbf, 2 }, { 0xf0, 0xf0, 0x90, 0xbf, 3 }, { 0xf1, 0xf3, 0x80, 0xbf, 3 }, { 0xf4, 0xf4, 0x80, 0x8f, 3 } };
	const uint8_t *q = *p;
	uint32_t c;

	for (size_t i = 0; i < nitems(forms); i++) {
		if (q[0] < forms[i].lead_from || q[0] > forms[i].lead_to)
			continue;
		if (forms[i].more > 0)
			assert_in_range(q[1], forms[i].second_from, forms[i].second_to);
		c = forms[i].more == 0 ? q[0] : q[0] & (0x3fu >> forms[i].more);
		for (int k = 1; k <= forms[i].more; k++) {
			assert_in_range(q[k], 0x80, 0xbf);
			c = c << 6 | (q[k] & 0x3f);
		}
		*p += 1 + forms[i].more;
		return c;
	}
	fail_msg("octet %02x begins no character", q[0]);
	return 0;
}

static void
only_clean_characters(const char *text)
{
	for (const uint8_t *p = (const uint8_t *)text; *p != '\0';) {
		uint32_t c = character(&p);

		assert_false(c < 0x20 || (c >= 0x7f && c <= 0x9f));
		assert_false((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x61c);
		assert_false(c == 0xfeff || (c >= 0x200b && c <= 0x200d) || c == 0x2060 || c == 0xad);
	}
}

/* R2 for any octets: valid UTF-8 without what deceives, never longer than its room, the same when cleaned again; a cut text is the
 * beginning of the whole one and ends with "…". */
static void
r2_whatever_a_device_sends_is_clean(void **state)
{
	static const char *const pieces[] = { "a", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\xa5", "\xe2\x80\xae", "\xef\xbb\xbf", "\xe2\x80\x8b",
		"\x1b[2J", "\xc2\x85", "\x80", "\xe2\x80", "\xf0\x9f", "\n", "\xed\xa0\x80", "\xc0\xaf", "\xe2\x81\xa9" };

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 20000; round++) {
		uint8_t in[96];
		char whole[400], again[400], out[64], cut[64];
		size_t n = 0, size = 1 + draw(sizeof out), len, whole_len, most = draw(sizeof in + 1), mess = draw(3);

		while (n < most) {
			const char *piece = pieces[draw(nitems(pieces) - (mess == 0 ? 7 : 0))];
			size_t k = strlen(piece);

			if (mess == 2)
				in[n++] = (uint8_t)draw(256);
			else if (n + k <= most) {
				memcpy(in + n, piece, k);
				n += k;
			} else
				break;
		}
		whole_len = text_clean(whole, sizeof whole, in, n);
		assert_int_equal(strlen(whole), whole_len);
		only_clean_characters(whole);
		assert_int_equal(text_clean(again, sizeof again, whole, whole_len), whole_len);
		assert_string_equal(again, whole);
		len = text_clean(out, size, in, n);
		assert_int_equal(strlen(out), len);
		assert_true(len < size);
		only_clean_characters(out);
		if (whole_len < size)
			assert_string_equal(out, whole);
		else if (size > 4) {
			assert_string_equal(out + len - 3, "\xe2\x80\xa6");
			assert_memory_equal(out, whole, len - 3);
		} else
			assert_int_equal(len, 0);
		len = text_cut(cut, size, whole);
		assert_int_equal(strlen(cut), len);
		assert_true(strlen(cut) < size);
		only_clean_characters(cut);
		if (whole_len >= size && size > 4)
			assert_memory_equal(cut, whole, strlen(cut) - 3);
	}
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
	assert_int_equal(wall_parse("2026-02-29", &t), -EINVAL);
	assert_int_equal(wall_parse("2024-02-29", &t), 0);
	assert_int_equal(wall_parse("2026-11-24T00:21:11.Z", &t), -EINVAL);
	assert_string_equal(wall_text((struct wall){ -1 }, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(wall_text((struct wall){ 0 }, text), "never");
	/* 2016-07-30T23:54:10.259Z is 01ARYZ6S41 in the ULID specification's example. */
	ulid_text((struct wall){ 1469918176385000 }, random, id);
	assert_string_equal(id, "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_strict), cmocka_unit_test(durations_read_and_print), cmocka_unit_test(addresses_round_trip),
		cmocka_unit_test(device_text_is_cleaned), cmocka_unit_test(r2_whatever_a_device_sends_is_clean),
		 cmocka_unit_test(a_get_past_the_end_is_sticky), cmocka_unit_test(times_and_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
