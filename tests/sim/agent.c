/* tests/sim/agent.c: see agent.h. The varbinds of an answer are copied as they stand in the objects; heads are put before them. */
#include "agent.h"

#include <string.h>

#include "ber.h"

enum { NAMES_MAX = 64, VARBINDS_AT = 512, NO_SUCH_NAME = 2, MAX_SIZE = 65507 };

struct name { const uint8_t *p; size_t n; };
struct ask {
	int64_t		version, id, a, b;	/* a, b: error status and index, or non-repeaters and repetitions */
	uint8_t		pdu;
	struct name	names[NAMES_MAX];
	size_t		n;
};

/* The varbinds of an answer, in the middle of the buffer: heads grow to the front of them. */
struct answer {
	uint8_t		*start, *end, *limit;
	size_t		 varbinds;
	int64_t		 status, index;
};

static bool
pdu_read(struct ask *q, struct ber_in *m)
{
	struct ber_in pdu = ber_get(m, &q->pdu), list;

	q->id = ber_number(&pdu);
	q->a = ber_number(&pdu);
	q->b = ber_number(&pdu);
	list = ber_want(&pdu, BER_SEQUENCE);
	if (m->bad || pdu.bad)
		return false;
	for (q->n = 0; list.p < list.end && q->n < NAMES_MAX; q->n++) {
		struct ber_in vb = ber_want(&list, BER_SEQUENCE), name = ber_want(&vb, BER_OID);

		if (list.bad || vb.bad || name.p == name.end)
			return false;
		q->names[q->n] = (struct name){ name.p, (size_t)(name.end - name.p) };
	}
	return !list.bad && (q->pdu == BER_GET || q->pdu == BER_GETNEXT || (q->pdu == BER_GETBULK && q->version > 0));
}

/* false: no room. */
static bool
put(struct answer *w, const uint8_t *p, size_t n)
{
	if (n > (size_t)(w->limit - w->end))
		return false;
	memcpy(w->end, p, n);
	w->end += n;
	w->varbinds++;
	return true;
}

/* A name with no value: null, or an exception. */
static bool
put_empty(struct answer *w, const struct name *name, uint8_t tag)
{
	uint8_t buf[300];
	struct ber_out o = { buf, buf + sizeof buf, false };

	ber_head(&o, tag, 0);
	ber_put_octets(&o, BER_OID, name->p, name->n);
	ber_wrap(&o, BER_SEQUENCE, buf + sizeof buf);
	return !o.bad && put(w, o.p, (size_t)(buf + sizeof buf - o.p));
}

/* One answer to one name; *at moves on to the name found. false: no room. */
static bool
put_one(struct answer *w, const struct objects *o, const struct ask *q, struct name *at, size_t i, bool *found)
{
	bool next = q->pdu != BER_GET;
	const struct object *x = o != NULL ? objects_from(o, at->p, at->n, next) : NULL;

	*found = x != NULL;
	if (x == NULL) {
		if (q->version == 0 && w->status == 0) {
			w->status = NO_SUCH_NAME;
			w->index = (int64_t)i + 1;
		}
		return put_empty(w, at, q->version == 0 ? BER_NULL : next ? BER_END_OF_MIB : BER_NO_OBJECT);
	}
	*at = (struct name){ o->bytes + x->at + x->oid_at, x->oid_n };
	return put(w, o->bytes + x->at, x->n);
}

static void
varbinds_put(struct answer *w, const struct objects *o, const struct ask *q)
{
	bool bulk = q->pdu == BER_GETBULK, found, more = true;
	size_t plain = bulk ? (size_t)(q->a < 0 ? 0 : q->a) : q->n;
	struct name at[NAMES_MAX];

	memcpy(at, q->names, sizeof at);
	for (size_t i = 0; i < q->n && i < plain; i++)
		if (!put_one(w, o, q, &at[i], i, &found))
			return;
	for (int64_t r = bulk ? q->b : 0; r > 0 && more; r--) {
		more = false;
		for (size_t i = plain; i < q->n; i++) {
			if (!put_one(w, o, q, &at[i], i, &found))
				return;
			more |= found;
		}
	}
}

static void
pdu_put(struct ber_out *o, const struct answer *w, uint8_t tag, int64_t id)
{
	ber_wrap(o, BER_SEQUENCE, w->end);
	ber_put_number(o, BER_INTEGER, w->index);
	ber_put_number(o, BER_INTEGER, w->status);
	ber_put_number(o, BER_INTEGER, id);
	ber_wrap(o, tag, w->end);
}

static struct answer
answer_begin(uint8_t out[static AGENT_OUT], size_t room)
{
	return (struct answer){ out + VARBINDS_AT, out + VARBINDS_AT, out + VARBINDS_AT + room, 0, 0, 0 };
}

/* v1 on an error: the names as asked. */
static void
names_put(struct answer *w, const struct ask *q)
{
	w->end = w->start;
	w->varbinds = 0;
	for (size_t i = 0; i < q->n; i++)
		put_empty(w, &q->names[i], BER_NULL);
}

static void
answer_make(struct answer *w, const struct agent *a, const struct ask *q, const char *context, size_t n)
{
	varbinds_put(w, a->objects(a->arg, context, n), q);
	if (w->status != 0)
		names_put(w, q);
	a->counters->answers++;
	a->counters->varbinds += w->varbinds;
}

static bool
is_mute(const struct agent *a, const struct ask *q)
{
	a->counters->requests++;
	a->counters->varbinds_asked += q->n;
	return a->mute != NULL && q->n > 0 && a->mute(a->arg, q->names[0].p, q->names[0].n);
}

static size_t
community_answer(const struct agent *a, struct ask *q, struct ber_in *m, uint8_t *out, uint8_t **at)
{
	struct ber_in c = ber_want(m, BER_OCTETS);
	size_t n = (size_t)(c.end - c.p), own = a->community != NULL ? strlen(a->community) : 0;
	const char *context = "";
	size_t n_context = 0;
	struct answer w;
	struct ber_out o;

	if (m->bad || a->community == NULL || n < own || memcmp(c.p, a->community, own) != 0 || (n > own && c.p[own] != '@')) {
		a->counters->refused++;
		return 0;
	}
	if (n > own) {
		context = (const char *)c.p + own + 1;
		n_context = n - own - 1;
	}
	if (!pdu_read(q, m) || is_mute(a, q) || a->objects(a->arg, context, n_context) == NULL)
		return 0;
	w = answer_begin(out, AGENT_ROOM - 40 - n);
	answer_make(&w, a, q, context, n_context);
	o = (struct ber_out){ out, w.start, false };
	pdu_put(&o, &w, BER_RESPONSE, q->id);
	ber_put_octets(&o, BER_OCTETS, c.p, n);
	ber_put_number(&o, BER_INTEGER, q->version);
	ber_wrap(&o, BER_SEQUENCE, w.end);
	*at = o.p;
	return o.bad ? 0 : (size_t)(w.end - o.p);
}

/* ---- v3 */

struct v3 { int64_t msg_id, max_size; struct usm_message u; uint8_t *data; size_t n_data; };

static bool
v3_read(struct v3 *v, struct ber_in *m)
{
	struct ber_in global = ber_want(m, BER_SEQUENCE), flags, security, field;

	v->msg_id = ber_number(&global);
	v->max_size = ber_number(&global);
	flags = ber_want(&global, BER_OCTETS);
	if (ber_number(&global) != 3 || global.bad || flags.end - flags.p != 1)
		return false;
	v->u.flags = *flags.p;
	field = ber_want(m, BER_OCTETS);
	security = ber_want(&field, BER_SEQUENCE);
	if (m->bad || field.bad)
		return false;
	field = ber_want(&security, BER_OCTETS);
	v->u.engine = field.p;
	v->u.n_engine = (size_t)(field.end - field.p);
	v->u.boots = ber_number(&security);
	v->u.time = ber_number(&security);
	field = ber_want(&security, BER_OCTETS);
	v->u.name = field.p;
	v->u.n_name = (size_t)(field.end - field.p);
	field = ber_want(&security, BER_OCTETS);
	v->u.mac = v->u.whole + (field.p - v->u.whole);
	v->u.n_mac = (size_t)(field.end - field.p);
	field = ber_want(&security, BER_OCTETS);
	v->u.salt = field.p;
	v->u.n_salt = (size_t)(field.end - field.p);
	if (security.bad)
		return false;
	if (v->u.flags & 2) {
		field = ber_want(m, BER_OCTETS);
		v->data = v->u.whole + (field.p - v->u.whole);
		v->n_data = (size_t)(field.end - field.p);
	} else {
		v->data = v->u.whole + (m->p - v->u.whole);
		v->n_data = (size_t)(m->end - m->p);
	}
	return !m->bad;
}

/* What surrounds a scoped PDU that stands from o->p to `end`. `level`: 0 plain, 1 signed, 3 encrypted as well. Returns the length. */
static size_t
v3_wrap(const struct agent *a, const struct v3 *v, struct ber_out *o, const uint8_t *end, uint8_t level)
{
	struct usm_engine *e = a->engine;
	uint8_t salt[8], zero[64] = { 0 };
	const uint8_t *security;
	uint8_t *mac;

	if (level & 2) {
		usm_encrypt(a->user, e, o->p, (size_t)(end - o->p), salt);
		ber_wrap(o, BER_OCTETS, end);
	}
	security = o->p;
	ber_put_octets(o, BER_OCTETS, salt, level & 2 ? sizeof salt : 0);
	ber_put(o, zero, level & 1 ? a->user->mac_octets : 0);
	mac = o->p;
	ber_head(o, BER_OCTETS, level & 1 ? a->user->mac_octets : 0);
	ber_put_octets(o, BER_OCTETS, v->u.name, v->u.n_name);	/* as asked: who discovers an engine has named nobody */
	ber_put_number(o, BER_INTEGER, e->time);
	ber_put_number(o, BER_INTEGER, e->boots);
	ber_put_octets(o, BER_OCTETS, e->id, ENGINE_ID);
	ber_wrap(o, BER_SEQUENCE, security);
	ber_wrap(o, BER_OCTETS, security);
	security = o->p;
	ber_put_number(o, BER_INTEGER, 3);
	ber_put_octets(o, BER_OCTETS, &level, 1);
	ber_put_number(o, BER_INTEGER, MAX_SIZE);
	ber_put_number(o, BER_INTEGER, v->msg_id);
	ber_wrap(o, BER_SEQUENCE, security);
	ber_put_number(o, BER_INTEGER, 3);
	ber_wrap(o, BER_SEQUENCE, end);
	if (o->bad)
		return 0;
	if (level & 1)
		usm_sign(a->user, e, o->p, (size_t)(end - o->p), mac);
	return (size_t)(end - o->p);
}

static void
scoped_put(const struct agent *a, struct ber_out *o, const uint8_t *end, const char *context, size_t n)
{
	ber_put_octets(o, BER_OCTETS, context, n);
	ber_put_octets(o, BER_OCTETS, a->engine->id, ENGINE_ID);
	ber_wrap(o, BER_SEQUENCE, end);
}

/* usmStats: unsupportedSecLevels 1, notInTimeWindows 2, unknownUserNames 3, unknownEngineIDs 4, wrongDigests 5, decryptionErrors 6. */
static size_t
v3_report(const struct agent *a, const struct v3 *v, enum usm_result r, uint8_t *out, uint8_t **at)
{
	uint32_t index[2] = { (uint32_t)r - USM_LEVEL + 1, 0 };
	struct answer w = answer_begin(out, 256);
	struct objects one = { 0 };
	struct ber_out o = { out, w.start, false };
	size_t n;

	if ((v->u.flags & 4) == 0)
		return 0;
	object_number(&one, PREFIX("1.3.6.1.6.3.15.1.1"), index, 2, BER_COUNTER, (int64_t)++a->counters->reports);
	put(&w, one.bytes, one.n_bytes);
	objects_free(&one);
	pdu_put(&o, &w, BER_REPORT, 0);
	scoped_put(a, &o, w.end, "", 0);
	n = v3_wrap(a, v, &o, w.end, r == USM_WINDOW ? 1 : 0);
	*at = o.p;
	return n;
}

static size_t
v3_answer(const struct agent *a, struct ask *q, struct ber_in *m, uint8_t *in, size_t n_in, uint8_t *out, uint8_t **at)
{
	struct v3 v = { .u = { .whole = in, .n_whole = n_in } };
	struct ber_in data, scoped, context;
	enum usm_result r;
	struct answer w;
	struct ber_out o;
	size_t n;

	if (a->user == NULL || !v3_read(&v, m)) {
		a->counters->refused++;
		return 0;
	}
	if ((r = usm_check(a->user, a->engine, &v.u, v.data, v.n_data)) != USM_OK)
		return r == USM_DISCARD ? 0 : v3_report(a, &v, r, out, at);
	data = (struct ber_in){ v.data, v.data + v.n_data, false };
	scoped = ber_want(&data, BER_SEQUENCE);
	ber_want(&scoped, BER_OCTETS);
	context = ber_want(&scoped, BER_OCTETS);
	n = (size_t)(context.end - context.p);
	if (data.bad || !pdu_read(q, &scoped) || is_mute(a, q) || a->objects(a->arg, (const char *)context.p, n) == NULL)
		return 0;
	w = answer_begin(out, AGENT_ROOM - 170 - n);
	answer_make(&w, a, q, (const char *)context.p, n);
	o = (struct ber_out){ out, w.start, false };
	pdu_put(&o, &w, BER_RESPONSE, q->id);
	scoped_put(a, &o, w.end, (const char *)context.p, n);
	n = v3_wrap(a, &v, &o, w.end, v.u.flags & 3);
	*at = o.p;
	return n;
}

size_t
agent_answer(const struct agent *a, uint8_t *in, size_t n, uint8_t out[static AGENT_OUT], uint8_t **answer)
{
	struct ber_in all = { in, in + n, false }, m = ber_want(&all, BER_SEQUENCE);
	struct ask q = { .version = ber_number(&m) };

	if (all.bad || m.bad)
		return 0;
	if (q.version == 3)
		return v3_answer(a, &q, &m, in, n, out, answer);
	return q.version == 0 || q.version == 1 ? community_answer(a, &q, &m, out, answer) : 0;
}
