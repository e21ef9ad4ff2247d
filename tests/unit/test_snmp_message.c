/* tests/unit/test_snmp_message.c: questions and answers of v1 and v2c, held against Net-SNMP's own coding of the same. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "base/num.h"
#include "poller/snmp_message.h"

enum { ROUNDS = 3000, ROOM = 16384 };

static uint32_t seed = 1;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 4) * below >> 28);
}

static uint32_t
draw_number(void)
{
	static const uint32_t edges[] = { 0, 1, 39, 40, 127, 128, 255, 256, 16383, 16384, 0x7fffffff, 0x80000000, UINT32_MAX };

	return draw(2) == 0 ? edges[draw(nitems(edges))] : draw(1000);
}

static void
draw_oid(struct message_oid *o, size_t most)
{
	o->n = 2 + draw((uint32_t)most - 1);
	o->v[0] = draw(3);
	o->v[1] = draw(40);
	for (size_t i = 2; i < o->n; i++)
		o->v[i] = draw_number();
}

static bool
oid_same(const uint32_t *a, size_t na, const oid *b, size_t nb)
{
	for (size_t i = 0; i < na && i < nb; i++)
		if (a[i] != b[i])
			return false;
	return na == nb;
}

/* ---- what we write, read by the library */

/* The PDU begins behind version and community. */
static void
library_reads(const struct message_question *q, uint8_t *p, size_t n)
{
	u_char type, community[64];
	size_t len = n, n_community = sizeof community;
	long version;
	u_char *at = snmp_comstr_parse(p, &len, community, &n_community, &version);
	netsnmp_pdu *pdu = calloc(1, sizeof *pdu);
	size_t i = 0;

	assert_non_null(at);
	assert_int_equal(version, q->version);
	assert_int_equal(n_community, strlen(q->community));
	assert_memory_equal(community, q->community, n_community);
	type = *at;
	assert_int_equal(type, q->pdu);
	assert_int_equal(snmp_pdu_parse(pdu, at, &len), 0);
	assert_int_equal(pdu->reqid, q->id);
	if (q->pdu == PDU_GETBULK) {
		assert_int_equal(pdu->errstat, 0);			/* non-repeaters */
		assert_int_equal(pdu->errindex, q->repetitions);
	}
	for (netsnmp_variable_list *v = pdu->variables; v != NULL; v = v->next_variable, i++) {
		assert_true(i < q->n && oid_same(q->oids[i].v, q->oids[i].n, v->name, v->name_length));
		assert_int_equal(v->type, ASN_NULL);
	}
	assert_int_equal(i, q->n);
	snmp_free_pdu(pdu);
}

static void
questions_are_read_by_the_library(void **state)
{
	static const uint8_t pdus[] = { PDU_GET, PDU_GETNEXT, PDU_GETBULK };
	static struct message_oid oids[8];
	uint8_t *buf = malloc(ROOM);

	(void)state;
	for (unsigned r = 0; r < ROUNDS; r++) {
		struct message_question q = { .version = MESSAGE_V2C, .community = r % 3 == 0 ? "public@1001" : "", .pdu = pdus[draw(3)],
			.id = (int32_t)(1 + draw(0x7ffffffe)), .repetitions = (int32_t)(1 + draw(300)), .oids = oids, .n = 1 + draw(8) };
		struct message_look l;
		uint8_t *p;

		if (q.pdu != PDU_GETBULK && draw(2) == 0)
			q.version = MESSAGE_V1;
		for (size_t i = 0; i < q.n; i++)
			draw_oid(&oids[i], OID_MAX);
		p = message_write(&q, buf, ROOM);
		assert_non_null(p);
		assert_true(message_look(p, (size_t)(buf + ROOM - p), &l));
		assert_int_equal(l.id, q.id);
		library_reads(&q, p, (size_t)(buf + ROOM - p));
	}
	free(buf);
}

static void
a_question_without_room_is_none(void **state)
{
	struct message_oid o = { { 1, 3, 6, 1, 2, 1 }, 6 }, bad = { { 1 }, 1 };
	struct message_question q = { MESSAGE_V2C, "public", PDU_GETBULK, 77, 20, &o, 1 };
	uint8_t buf[64];
	size_t n;

	(void)state;
	n = (size_t)(buf + sizeof buf - message_write(&q, buf, sizeof buf));
	for (size_t room = 0; room < n; room++)
		assert_null(message_write(&q, buf, room));
	assert_non_null(message_write(&q, buf, n));
	q.oids = &bad;
	assert_null(message_write(&q, buf, sizeof buf));
}

/* ---- what the library writes, read by us */

struct want { struct message_oid name, oid; uint8_t type; int64_t number; uint8_t octets[300]; size_t n; };

static u_char *
library_value(u_char *at, size_t *left, struct want *w)
{
	static const uint8_t types[] = { VB_INTEGER, VB_OCTETS, VB_OID, VB_IPADDRESS, VB_COUNTER, VB_GAUGE, VB_TIMETICKS, VB_COUNTER64,
		VB_OPAQUE, VB_NO_OBJECT, VB_END_OF_MIB };
	oid name[OID_MAX], value[OID_MAX];
	size_t n_name = w->name.n;
	struct counter64 big;
	long number;

	w->type = types[draw(nitems(types))];
	for (size_t i = 0; i < w->name.n; i++)
		name[i] = w->name.v[i];
	switch (w->type) {
	case VB_INTEGER:
		number = (int32_t)draw_number();
		w->number = number;
		return snmp_build_var_op(at, name, &n_name, w->type, sizeof number, (u_char *)&number, left);
	case VB_COUNTER: case VB_GAUGE: case VB_TIMETICKS:
		number = draw_number();
		w->number = number;
		return snmp_build_var_op(at, name, &n_name, w->type, sizeof number, (u_char *)&number, left);
	case VB_COUNTER64:
		big.high = draw_number() & 0x7fffffff;
		big.low = draw_number();
		w->number = (int64_t)((uint64_t)big.high << 32 | (uint32_t)big.low);
		return snmp_build_var_op(at, name, &n_name, w->type, sizeof big, (u_char *)&big, left);
	case VB_OID:
		draw_oid(&w->oid, 20);
		for (size_t i = 0; i < w->oid.n; i++)
			value[i] = w->oid.v[i];
		return snmp_build_var_op(at, name, &n_name, w->type, w->oid.n * sizeof *value, (u_char *)value, left);
	case VB_IPADDRESS: case VB_OCTETS: case VB_OPAQUE:
		w->n = w->type == VB_IPADDRESS ? 4 : draw(sizeof w->octets);
		for (size_t i = 0; i < w->n; i++)
			w->octets[i] = (uint8_t)draw(256);
		if (w->type == VB_OPAQUE && w->n > 0)
			w->octets[0] = 0x04;		/* the library writes floats of its own for others */
		return snmp_build_var_op(at, name, &n_name, w->type, w->n, w->octets, left);
	default:
		return snmp_build_var_op(at, name, &n_name, w->type, 0, NULL, left);
	}
}

static size_t
put_head(uint8_t *to, uint8_t tag, size_t n)
{
	to[0] = tag;
	to[1] = 0x82;
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
	return 4;
}

/* A Response around a list; lengths in three octets, as some agents write them. */
static size_t
response_make(uint8_t *out, const uint8_t *list, size_t n)
{
	static const uint8_t front[] = { 0x02, 1, 1, 0x04, 6, 'p', 'u', 'b', 'l', 'i', 'c' }, ints[] = { 0x02, 2, 0x12, 0x34, 0x02, 1, 0, 0x02, 1, 0 };
	size_t at = 0;

	at += put_head(out + at, 0x30, sizeof front + 4 + sizeof ints + 4 + n);
	memcpy(out + at, front, sizeof front);
	at += sizeof front;
	at += put_head(out + at, PDU_RESPONSE, sizeof ints + 4 + n);
	memcpy(out + at, ints, sizeof ints);
	at += sizeof ints;
	at += put_head(out + at, 0x30, n);
	memcpy(out + at, list, n);
	return at + n;
}

static void
check(const struct want *w, const struct varbind *v)
{
	assert_int_equal(v->type, w->type);
	assert_int_equal(v->oid_len, w->name.n);
	assert_memory_equal(v->oid, w->name.v, w->name.n * sizeof *v->oid);
	assert_int_equal(v->number, w->number);
	assert_int_equal(v->n_octets, w->n);
	if (w->n > 0)
		assert_memory_equal(v->octets, w->octets, w->n);
	assert_int_equal(v->value_oid_len, w->type == VB_OID ? w->oid.n : 0);
	if (w->type == VB_OID)
		assert_memory_equal(v->value_oid, w->oid.v, w->oid.n * sizeof *w->oid.v);
}

static void
answers_of_the_library_are_read(void **state)
{
	static uint8_t list[ROOM], whole[ROOM + 64];
	static struct want want[20];

	(void)state;
	for (unsigned r = 0; r < ROUNDS; r++) {
		size_t n = draw(nitems(want)), left = sizeof list, size;
		struct message_reader reader;
		struct message_look l;
		struct varbind v;
		u_char *at = list;
		uint8_t *own;

		for (size_t i = 0; i < n; i++) {
			want[i] = (struct want){ 0 };
			draw_oid(&want[i].name, 40);
			at = library_value(at, &left, &want[i]);
			assert_non_null(at);
		}
		size = response_make(whole, list, (size_t)(at - list));
		own = malloc(size);
		memcpy(own, whole, size);		/* of its own size: a look past the end is seen */
		assert_true(message_look(own, size, &l));
		assert_int_equal(l.id, 0x1234);
		assert_int_equal(l.pdu, PDU_RESPONSE);
		assert_int_equal(l.n_community, 6);
		reader.p = l.varbinds;
		reader.end = l.end;
		for (size_t i = 0; i < n; i++) {
			assert_true(message_next(&reader, &v));
			check(&want[i], &v);
		}
		assert_false(message_next(&reader, &v));
		for (size_t cut = 0; cut < size; cut++)
			assert_false(message_look(own, cut, &l));	/* P4: a datagram that is cut is none */
		free(own);
	}
}

/* ---- what no library writes, and some agents do */

static const struct {
	const char *name;
	uint8_t varbind[24];
	size_t n;
	bool whole;
	uint8_t type;
	int64_t number;
} odd[] = {
	{ "a counter of four octets with the highest bit set", { 0x30, 11, 6, 3, 0x2b, 6, 1, 0x41, 4, 0xf0, 0, 0, 1 }, 13, true, VB_COUNTER, 0xf0000001 },
	{ "an integer of five octets", { 0x30, 12, 6, 3, 0x2b, 6, 1, 0x02, 5, 0, 0x80, 0, 0, 0 }, 14, true, VB_NULL, 0 },
	{ "an integer of no octets", { 0x30, 7, 6, 3, 0x2b, 6, 1, 0x02, 0 }, 9, true, VB_NULL, 0 },
	{ "an address of three octets", { 0x30, 10, 6, 3, 0x2b, 6, 1, 0x40, 3, 1, 2, 3 }, 12, true, VB_NULL, 0 },
	{ "an OID of no octets", { 0x30, 7, 6, 3, 0x2b, 6, 1, 0x06, 0 }, 9, true, VB_OID, 0 },
	{ "a name of no octets", { 0x30, 5, 6, 0, 0x02, 1, 7 }, 7, true, 0xff, 0 },
	{ "a number of 36 bits in a name", { 0x30, 11, 6, 6, 0x2b, 0x9f, 0xff, 0xff, 0xff, 0x7f, 0x02, 1, 7 }, 13, true, 0xff, 0 },
	{ "a name that does not end", { 0x30, 8, 6, 3, 0x2b, 6, 0x81, 0x02, 1, 7 }, 10, true, 0xff, 0 },
	{ "two values", { 0x30, 11, 6, 3, 0x2b, 6, 1, 0x02, 1, 7, 0x02, 1, 7 }, 13, false, 0, 0 },
	{ "no value", { 0x30, 5, 6, 3, 0x2b, 6, 1 }, 7, false, 0, 0 },
	{ "a value longer than its varbind", { 0x30, 8, 6, 3, 0x2b, 6, 1, 0x02, 9, 7 }, 10, false, 0, 0 },
	{ "a length of five octets", { 0x30, 0x85, 0, 0, 0, 0, 8, 6, 3, 0x2b, 6, 1, 0x02, 1, 7 }, 15, false, 0, 0 },
	{ "a length that is not told", { 0x30, 0x80, 6, 3, 0x2b, 6, 1, 0x02, 1, 7, 0, 0 }, 12, false, 0, 0 },
};

static void
odd_ones(void **state)
{
	uint8_t whole[128];

	(void)state;
	for (size_t i = 0; i < nitems(odd); i++) {
		size_t n = response_make(whole, odd[i].varbind, odd[i].n);
		struct message_reader r;
		struct message_look l;
		struct varbind v;

		print_message("%s\n", odd[i].name);
		assert_int_equal(message_look(whole, n, &l), odd[i].whole);
		if (!odd[i].whole)
			continue;
		r.p = l.varbinds;
		r.end = l.end;
		assert_true(message_next(&r, &v));
		assert_int_equal(v.type, odd[i].type);
		if (v.type != 0xff && v.type != VB_NULL)
			assert_int_equal(v.number, odd[i].number);
		assert_false(message_next(&r, &v));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_read_by_the_library),
		cmocka_unit_test(a_question_without_room_is_none),
		cmocka_unit_test(answers_of_the_library_are_read),
		cmocka_unit_test(odd_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
