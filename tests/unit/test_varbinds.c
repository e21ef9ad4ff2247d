/* tests/unit/test_varbinds.c: notifications carry what CAMTRAPD-MIB says, in its order, and fit a packet. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "notify/varbinds.h"

#ifndef SOURCE_DIR
#define SOURCE_DIR "."
#endif
#define ROOT "1.3.6.1.4.1.8072.9999.9999.7162"
#define FULL(field) memset(e.field, 'x', sizeof e.field - 1)

/* Everything as long as it can be. */
static struct event
longest(enum event_type type)
{
	struct event e = { .type = type, .sequence = UINT32_MAX, .epoch = UINT32_MAX, .detection_id = UINT32_MAX,
	    .at = { 1795000000123456 }, .severity = SEVERITY_CRITICAL, .confidence = CONFIDENCE_CONFIRMED, .presence = PRESENCE_PRESENT,
	    .handling = HANDLING_OPEN, .origin = ORIGIN_NEW, .verdict = VERDICT_BEYOND, .if_index = INT32_MAX, .vlan = 4094,
	    .count = UINT32_MAX, .mac = { { 0x44, 0x19, 0xb6, 1, 2, 3 } } };

	FULL(id); FULL(vendor); FULL(policy); FULL(site); FULL(switch_name); FULL(switch_location); FULL(port); FULL(alias);
	FULL(reason); FULL(evidence); FULL(text);
	ip_parse("2001:db8:1111:2222:3333:4444:5555:6666", &e.switch_address);
	ip_parse("2001:db8:1111:2222:3333:4444:5555:7777", &e.device_address);
	return e;
}

static struct mib_oid
root_of(const char *text)
{
	struct mib_oid r;

	assert_int_equal(mib_root_parse(text, &r), 0);
	return r;
}

static void
roots_are_strict(void **state)
{
	static const char *const bad[] = { "", ".", "1", "1.", "1..3", "1.40", "3.1", "1.3.a", "1.3.4294967296", "1.3.-1", "1.3 ",
	    "1.3.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1" };
	struct mib_oid r;

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		print_message("\"%s\"\n", bad[i]);
		assert_int_equal(mib_root_parse(bad[i], &r), -EINVAL);
	}
	assert_int_equal(root_of("." ROOT).n, 10);
}

/* The shipped module; static. */
static const char *
mib_text(void)
{
	static char mib[200000];
	FILE *f = fopen(SOURCE_DIR "/mibs/CAMTRAPD-MIB", "re");

	assert_non_null(f);
	mib[fread(mib, 1, sizeof mib - 1, f)] = '\0';
	fclose(f);
	return mib;
}

/* The OBJECTS clause of each NOTIFICATION-TYPE in the shipped MIB against the table. */
static void
order_is_that_of_the_mib(void **state)
{
	const char *mib = mib_text();

	(void)state;
	for (unsigned type = EVENT_DEVICE_DETECTED; type <= EVENT_AGENT_RECOVERED; type++) {
		char head[80], clause[2000], *save = NULL;
		const char *at;
		size_t k = 0;

		snprintf(head, sizeof head, "\n%s NOTIFICATION-TYPE\n", event_word(type));
		assert_non_null(at = strstr(mib, head));
		assert_non_null(at = strchr(at, '{'));
		snprintf(clause, sizeof clause, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
		for (char *w = strtok_r(clause, ", \n", &save); w != NULL; w = strtok_r(NULL, ", \n", &save))
			assert_string_equal(w, varbinds_name(type, k++));
		assert_null(varbinds_name(type, k));
		assert_int_equal(k, type <= EVENT_CONFLICT ? 28 : 13);
		snprintf(head, sizeof head, "::= { camtrapdNotifications %u }", type);
		assert_non_null(strstr(at, head));
	}
	/* Each object's column. */
	for (unsigned type = EVENT_DEVICE_DETECTED; type <= EVENT_SUMMARY; type += 8) {
		struct event e = longest(type);
		struct mib_oid root = root_of(ROOT);
		struct varbinds vs;

		assert_int_equal(varbinds_of(&e, "a", &root, 1, 2000, &vs), 0);
		for (size_t i = 2; i < vs.n; i++) {
			char head[80], arc[80];
			const char *at, *end;

			snprintf(head, sizeof head, "\n%s OBJECT-TYPE\n", varbinds_name(type, i - 2));
			assert_non_null(at = strstr(mib, head));
			assert_non_null(end = strstr(at, "::="));
			snprintf(arc, sizeof arc, "::= { camtrapdEventObjects %u }", vs.v[i].name.arc[11]);
			assert_memory_equal(end, arc, strlen(arc));
		}
	}
}

static void
values_are_those_of_the_event(void **state)
{
	struct event e = longest(EVENT_DEVICE_DETECTED);
	struct mib_oid root = root_of(ROOT);
	static const uint8_t time[] = { 0x07, 0xea, 11, 18, 9, 6, 40, 1, '+', 0, 0 };
	struct varbinds vs;

	(void)state;
	e.at.us = 1794992800123456;	/* 2026-11-18T09:06:40.123 */
	strcpy(e.vendor, "Hikvision");
	assert_int_equal(varbinds_of(&e, "camtrapd-1", &root, 4711, NOTIFICATION_MAX - OVERHEAD_COMMUNITY - 6, &vs), 0);
	assert_int_equal(vs.n, 30);
	assert_int_equal(vs.v[0].type, VB_TICKS);
	assert_int_equal(vs.v[0].number, 4711);
	assert_int_equal(vs.v[0].name.arc[7], 3);
	assert_int_equal(vs.v[1].type, VB_OID);
	assert_int_equal(vs.v[1].oid.n, 12);
	assert_int_equal(vs.v[1].oid.arc[10], 0);
	assert_int_equal(vs.v[1].oid.arc[11], EVENT_DEVICE_DETECTED);
	assert_int_equal(vs.v[2].len, 26);
	assert_int_equal(vs.v[2].name.n, 13);
	assert_memory_equal(vs.v[5].octets, "camtrapd-1", 10);
	assert_int_equal(vs.v[6].len, sizeof time);
	assert_memory_equal(vs.v[6].octets, time, sizeof time);
	assert_memory_equal(vs.v[8].octets, e.mac.b, 6);
	assert_int_equal(vs.v[9].len, 9);
	assert_int_equal(vs.v[19].number, 2);		/* switchAddressType: ipv6 */
	assert_int_equal(vs.v[20].len, 16);
	assert_int_equal(vs.v[27].number, VERDICT_BEYOND);
	e.device_address = (struct ip){ 0 };
	e.verdict = 0;
	assert_int_equal(varbinds_of(&e, "camtrapd-1", &root, 4711, 1300, &vs), 0);
	assert_int_equal(vs.v[25].number, 0);		/* unknown, and then the address is empty */
	assert_int_equal(vs.v[26].len, 0);
	assert_int_equal(vs.v[27].number, VERDICT_UNKNOWN);
	e.type = 15;
	assert_int_equal(varbinds_of(&e, "camtrapd-1", &root, 4711, 1300, &vs), -EINVAL);
}

/* Octets of each object at most, as contract.md has them; 0: a number. */
static const struct { const char *name; uint8_t limit; const char *syntax; } carried[] = {
	{ "eventId", 26, "SnmpAdminString (SIZE (0..26))" }, { "eventSequence", 0, "Unsigned32" }, { "eventEpoch", 0, "Unsigned32" },
	{ "agentName", 32, "SnmpAdminString (SIZE (0..32))" }, { "eventTime", 11, "DateAndTime" }, { "detectionId", 0, "Unsigned32" },
	{ "deviceMac", 6, "MacAddress" }, { "deviceVendor", 48, "SnmpAdminString (SIZE (0..48))" },
	{ "devicePolicy", 32, "SnmpAdminString (SIZE (0..32))" }, { "confidence", 0, "CamtrapdConfidence" },
	{ "severity", 0, "CamtrapdSeverity" }, { "presence", 0, "CamtrapdPresence" }, { "handling", 0, "CamtrapdHandling" },
	{ "origin", 0, "CamtrapdOrigin" }, { "siteName", 48, "SnmpAdminString (SIZE (0..48))" },
	{ "switchName", 48, "SnmpAdminString (SIZE (0..48))" }, { "switchLocation", 48, "SnmpAdminString (SIZE (0..48))" },
	{ "switchAddressType", 0, "InetAddressType" }, { "switchAddress", 16, "InetAddress" }, { "portIfIndex", 0, "InterfaceIndexOrZero" },
	{ "portName", 32, "SnmpAdminString (SIZE (0..32))" }, { "portAlias", 48, "SnmpAdminString (SIZE (0..48))" },
	{ "vlanId", 0, "Unsigned32 (0..4094)" }, { "deviceAddressType", 0, "InetAddressType" }, { "deviceAddress", 16, "InetAddress" },
	{ "locationVerdict", 0, "CamtrapdVerdict" }, { "locationReason", 64, "SnmpAdminString (SIZE (0..64))" },
	{ "evidence", 128, "SnmpAdminString (SIZE (0..128))" }, { "count", 0, "Unsigned32" }, { "text", 128, "SnmpAdminString (SIZE (0..128))" },
};

static size_t
carried_of(const char *name)
{
	for (size_t i = 0; i < nitems(carried); i++)
		if (strcmp(carried[i].name, name) == 0)
			return i;
	fail_msg("%s is not an object of the contract", name);
	return 0;
}

static void
syntax_is_that_of_the_contract(void **state)
{
	const char *mib = mib_text();

	(void)state;
	for (size_t i = 0; i < nitems(carried); i++) {
		char head[160];
		const char *at;

		snprintf(head, sizeof head, "\n%s OBJECT-TYPE\n    SYNTAX      %s\n", carried[i].name, carried[i].syntax);
		if ((at = strstr(mib, head)) == NULL)
			fail_msg("CAMTRAPD-MIB: %s is not %s", carried[i].name, carried[i].syntax);
		snprintf(head, sizeof head, "::= { camtrapdEventObjects %zu }", i + 1);
		assert_memory_equal(strstr(at, "::="), head, strlen(head));
	}
}

/* "beyond-uplink" is beyondUplink in a MIB. */
static void
as_label(char out[32], const char *word)
{
	size_t n = 0;

	for (; *word != '\0' && n < 31; word++) {
		bool up = *word == '-';

		word += up;
		out[n++] = (char)(up ? *word - 32 : *word);
	}
	out[n] = '\0';
}

static void
enumerations_are_those_of_the_model(void **state)
{
	const struct { const char *name; const char *(*word)(unsigned); unsigned n; } all[] = {
		{ "CamtrapdPresence", presence_word, 3 }, { "CamtrapdHandling", handling_word, 4 }, { "CamtrapdOrigin", origin_word, 4 },
		{ "CamtrapdConfidence", confidence_word, 3 }, { "CamtrapdSeverity", severity_word, 4 }, { "CamtrapdVerdict", verdict_word, 4 },
	};
	const char *mib = mib_text();

	(void)state;
	for (size_t i = 0; i < nitems(all); i++) {
		char head[80], want[200] = "SYNTAX      INTEGER { ", label[32];
		const char *at;

		snprintf(head, sizeof head, "\n%s ::= TEXTUAL-CONVENTION\n", all[i].name);
		assert_non_null(at = strstr(mib, head));
		for (unsigned v = 1; v <= all[i].n; v++) {
			as_label(label, all[i].word(v));
			snprintf(want + strlen(want), sizeof want - strlen(want), "%s%s(%u)", v > 1 ? ", " : "", label, v);
		}
		snprintf(want + strlen(want), sizeof want - strlen(want), " }");
		assert_non_null(at = strstr(at, "SYNTAX"));
		print_message("%s\n", want);
		assert_memory_equal(at, want, strlen(want));
	}
}

/* Whole characters of one to four octets, in texts that end at each octet of a character. */
static void
texts_are_cut_between_characters(void **state)
{
	static const char *const letters[] = { "x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8e\xa5" };
	struct mib_oid root = root_of(ROOT);
	struct varbinds vs;

	(void)state;
	for (size_t l = 0; l < nitems(letters); l++) {
		for (size_t shift = 0; shift < 4; shift++) {
			struct event e = longest(EVENT_DEVICE_DETECTED);
			size_t n = strlen(letters[l]), k = shift;
			const struct varbind *v = &vs.v[2 + carried_of("evidence")];

			memset(e.evidence, 0, sizeof e.evidence);
			memset(e.evidence, 'a', shift);
			for (; k + n < sizeof e.evidence; k += n)
				memcpy(e.evidence + k, letters[l], n);
			assert_int_equal(varbinds_of(&e, "a", &root, 1, SIZE_MAX, &vs), 0);
			assert_in_range(v->len, 128 - 3, 128);
			assert_memory_equal(v->octets + v->len - 3, "\xe2\x80\xa6", 3);
			assert_int_equal((v->len - 3u - shift) % n, 0);		/* nothing of half a character stays */
			assert_memory_equal(v->octets, e.evidence, v->len - 3u);
			memset(e.evidence + 126, 0, sizeof e.evidence - 126);
			strcpy(e.evidence + 126, "zz");				/* 128 octets: just not cut */
			assert_int_equal(varbinds_of(&e, "a", &root, 1, SIZE_MAX, &vs), 0);
			assert_int_equal(v->len, 128);
			assert_memory_equal(v->octets, e.evidence, 128);
		}
	}
}

static void
longest_notifications_fit(void **state)
{
	/* The second: MIB_ROOT_OCTETS_MAX octets long. */
	static const char *const roots[] = { ROOT, "1.3.6.1.4.1.4294967295.4294967295.4294967295" };
	static const size_t rooms[] = { NOTIFICATION_MAX - OVERHEAD_COMMUNITY - 6, NOTIFICATION_MAX - OVERHEAD_COMMUNITY - 255,
		NOTIFICATION_MAX - OVERHEAD_V3 };
	char agent[65];
	struct varbinds vs;

	(void)state;
	memset(agent, 'a', 64);
	agent[64] = '\0';
	for (size_t r = 0; r < nitems(roots); r++)
		for (unsigned type = 1; type <= 14; type++)
			for (size_t k = 0; k < nitems(rooms); k++) {
				struct mib_oid root = root_of(roots[r]);
				struct event e = longest(type);

				assert_int_equal(varbinds_of(&e, agent, &root, UINT32_MAX, SIZE_MAX, &vs), 0);
				if (k == 0 && (type == 1 || type == 14))
					print_message("root of %u arcs, type %u: %zu octets of varbinds, room %zu\n", root.n, type, varbinds_size(&vs), rooms[k]);
				for (size_t i = 2; i < vs.n; i++)
					assert_int_equal(vs.v[i].len, carried[carried_of(varbinds_name(type, i - 2))].limit);
				assert_int_equal(varbinds_of(&e, agent, &root, UINT32_MAX, rooms[k], &vs), 0);
				assert_true(varbinds_size(&vs) <= rooms[k]);
				assert_int_equal(vs.v[2].len, 26);	/* the id is never cut */
				assert_memory_equal(vs.v[5].octets + vs.v[5].len - 3, "\xe2\x80\xa6", 3);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots_are_strict), cmocka_unit_test(order_is_that_of_the_mib),
		cmocka_unit_test(syntax_is_that_of_the_contract), cmocka_unit_test(enumerations_are_those_of_the_model),
		cmocka_unit_test(values_are_those_of_the_event), cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(longest_notifications_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
