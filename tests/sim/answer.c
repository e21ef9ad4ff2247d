/* tests/sim/answer.c: one SNMP message in, its reply out: v1 and v2c, GET, GETNEXT, GETBULK (RFC 1157, RFC 3416).
 * A SET is refused; anything else, and any other community, is met with silence. */
#include "campus.h"

#include <string.h>

#define VARBINDS_MAX 128

enum { PDU_GET = 0xa0, PDU_NEXT = 0xa1, PDU_RESPONSE = 0xa2, PDU_SET = 0xa3, PDU_BULK = 0xa5 };
enum { ERR_NONE = 0, ERR_TOO_BIG = 1, ERR_NO_SUCH_NAME = 2, ERR_NOT_WRITABLE = 17 };
enum { V1 = 0, V2C = 1 };

struct request {
	int32_t		version, id, non_repeaters, max_repetitions;	/* the latter two: GETBULK */
	uint8_t		pdu;
	size_t		n;
	struct oid	names[VARBINDS_MAX];
};

struct reply {
	int32_t		error, error_index;
	struct ber_out	varbinds;
};

static bool
request_read(const struct campus *c, const uint8_t *p, size_t n, struct request *r)
{
	struct ber_in in = { .p = p, .end = p + n }, message = ber_get(&in, BER_SEQUENCE), community, pdu, list;
	size_t len = strlen(c->community);

	r->version = ber_get_int(&message);
	community = ber_get(&message, BER_OCTETS);
	r->pdu = ber_peek(&message);
	pdu = ber_get(&message, 0);
	if (message.bad || (r->version != V1 && r->version != V2C) || (size_t)(community.end - community.p) != len ||
	    memcmp(community.p, c->community, len) != 0)
		return false;
	if (r->pdu != PDU_GET && r->pdu != PDU_NEXT && r->pdu != PDU_SET && (r->pdu != PDU_BULK || r->version == V1))
		return false;
	r->id = ber_get_int(&pdu);
	r->non_repeaters = ber_get_int(&pdu);
	r->max_repetitions = ber_get_int(&pdu);
	list = ber_get(&pdu, BER_SEQUENCE);
	for (r->n = 0; !list.bad && list.p < list.end; r->n++) {
		struct ber_in vb = ber_get(&list, BER_SEQUENCE);

		if (list.bad || r->n == VARBINDS_MAX)
			return false;
		ber_get_oid(&vb, &r->names[r->n]);
		ber_get(&vb, 0);
		if (vb.bad)
			return false;
	}
	return !pdu.bad && !list.bad;
}

/* v1 answers an error with the names as they were asked. */
static void
reply_error(const struct request *r, struct reply *out, int32_t error, size_t at)
{
	struct value null = { .tag = BER_NULL };

	out->error = error;
	out->error_index = error == ERR_TOO_BIG ? 0 : (int32_t)at + 1;
	out->varbinds.n = 0;
	out->varbinds.full = false;
	if (r->version == V2C && error == ERR_TOO_BIG)
		return;
	for (size_t i = 0; i < r->n; i++)
		ber_put_varbind(&out->varbinds, &r->names[i], &null);
}

static void
get_or_next(struct campus *c, int sw, const struct request *r, struct reply *out)
{
	for (size_t i = 0; i < r->n; i++) {
		struct oid name = r->names[i];
		struct value v;
		bool there = r->pdu == PDU_GET ? view_get(c, sw, &name, &v) : view_next(c, sw, &r->names[i], &name, &v);

		if (!there && r->version == V1) {
			reply_error(r, out, ERR_NO_SUCH_NAME, i);
			return;
		}
		if (!ber_put_varbind(&out->varbinds, &name, &v)) {
			reply_error(r, out, ERR_TOO_BIG, 0);
			return;
		}
	}
}

/* Fills the reply as far as it goes; fewer repetitions than asked are the switch's right (RFC 3416 section 4.2.3). */
static void
bulk(struct campus *c, int sw, struct request *r, struct reply *out)
{
	size_t fixed = r->non_repeaters < 0 ? 0 : (size_t)r->non_repeaters < r->n ? (size_t)r->non_repeaters : r->n;
	bool more = true;

	for (int32_t turn = 0; more && (turn == 0 || turn < r->max_repetitions); turn++) {
		more = false;
		for (size_t i = turn == 0 ? 0 : fixed; i < r->n; i++) {
			struct value v;

			if (i >= fixed && r->max_repetitions <= 0)
				break;
			/* The name of a repeater walks on in its place; at the end of the view it stays. */
			if (view_next(c, sw, &r->names[i], &r->names[i], &v) && i >= fixed)
				more = true;
			if (!ber_put_varbind(&out->varbinds, &r->names[i], &v)) {
				if (out->varbinds.n == 0)
					reply_error(r, out, ERR_TOO_BIG, 0);
				return;
			}
		}
	}
}

size_t
answer(struct campus *c, int sw, const uint8_t *in, size_t n, uint8_t out[static REPLY_MAX])
{
	static struct request r;	/* 66 KB: not for the stack */
	static uint8_t list[REPLY_MAX], pdu[REPLY_MAX], message[REPLY_MAX];
	/* The three headers, the numbers and the community around the varbinds. */
	struct reply reply = { .varbinds = { .p = list, .cap = REPLY_MAX - 48 - strlen(c->community) } };
	struct ber_out p = { .p = pdu, .cap = sizeof pdu }, m = { .p = message, .cap = sizeof message }, o = { .p = out, .cap = REPLY_MAX };

	if (c->sw[sw].dead || !request_read(c, in, n, &r))
		return 0;
	if (r.pdu == PDU_SET)
		reply_error(&r, &reply, r.version == V1 ? ERR_NO_SUCH_NAME : ERR_NOT_WRITABLE, 0);
	else if (r.pdu == PDU_BULK)
		bulk(c, sw, &r, &reply);
	else
		get_or_next(c, sw, &r, &reply);
	ber_put_int(&p, r.id);
	ber_put_int(&p, reply.error);
	ber_put_int(&p, reply.error_index);
	ber_put(&p, BER_SEQUENCE, list, reply.varbinds.n);
	ber_put_int(&m, r.version);
	ber_put(&m, BER_OCTETS, c->community, strlen(c->community));
	ber_put(&m, PDU_RESPONSE, pdu, p.n);
	ber_put(&o, BER_SEQUENCE, message, m.n);
	return p.full || m.full || o.full ? 0 : o.n;
}
