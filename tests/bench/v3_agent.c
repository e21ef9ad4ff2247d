/* tests/bench/v3_agent.c: see v3_agent.h. GET gives a number for any name; GETNEXT and GETBULK walk two columns of numbers,
 * indexed as dot1qTpFdbTable is. Messages are read with a cursor that fails once for all, and written from their end. */
#include "v3_agent.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ENGINES 65536
#define DIGEST 24				/* octets of HMAC-SHA-256 that are sent (RFC 7860) */
#define ANSWER_MAX 1400
enum { SEQ = 0x30, INT = 2, OCTETS = 4, OID = 6, GET = 0xa0, NEXT = 0xa1, RESPONSE = 0xa2, BULK = 0xa5, REPORT = 0xa8, END_OF_MIB = 0x82 };
enum { NOT_IN_TIME_WINDOW = 2, UNKNOWN_ENGINE_ID = 4 };	/* of usmStats */
enum { NAMES = 16, IDS = 32, WINDOW_S = 150 };

static struct engine { bool known; uint8_t auth[32], priv[32]; } engines[ENGINES];
static uint8_t ku[32];
static EVP_CIPHER_CTX *cipher;

/* ---- reading */

struct in { const uint8_t *p, *end; bool bad; };

static struct in
get(struct in *m, uint8_t want)
{
	struct in v = { m->p, m->p, true };
	size_t n;

	if (m->bad || m->end - m->p < 2 || (want != 0 && *m->p != want))
		goto bad;
	m->p++;
	if ((n = *m->p++) & 0x80) {
		size_t octets = n & 0x7f;

		if (octets == 0 || octets > 2 || (size_t)(m->end - m->p) < octets)
			goto bad;
		for (n = 0; octets > 0; octets--)
			n = n << 8 | *m->p++;
	}
	if ((size_t)(m->end - m->p) < n)
		goto bad;
	v = (struct in){ m->p, m->p + n, false };
	m->p += n;
	return v;
bad:
	m->bad = true;
	return v;
}

static int64_t
get_int(struct in *m)
{
	struct in v = get(m, INT);
	int64_t n = v.p < v.end && *v.p & 0x80 ? -1 : 0;

	for (; v.p < v.end; v.p++)
		n = (int64_t)((uint64_t)n << 8) | *v.p;
	return n;
}

struct name { uint32_t id[IDS]; size_t n; };

static struct name
get_name(struct in *m)
{
	struct in v = get(m, OID);
	struct name out = { .n = 0 };

	if (v.p < v.end) {
		out.id[out.n++] = *v.p / 40;
		out.id[out.n++] = *v.p++ % 40;
	}
	while (v.p < v.end && out.n < IDS) {
		uint32_t id = 0;

		while (v.p < v.end && *v.p & 0x80)
			id = id << 7 | (*v.p++ & 0x7f);
		if (v.p < v.end)
			out.id[out.n++] = id << 7 | *v.p++;
	}
	return out;
}

/* ---- writing, from the end */

struct out { uint8_t *start, *p; };

static void
put(struct out *o, const void *p, size_t n)
{
	if ((size_t)(o->p - o->start) < n)
		abort();
	o->p -= n;
	memcpy(o->p, p, n);
}

static void
put_octet(struct out *o, uint8_t v)
{
	put(o, &v, 1);
}

/* The head of what is between the cursor and `end`. */
static void
put_head(struct out *o, uint8_t tag, const uint8_t *end)
{
	size_t n = (size_t)(end - o->p);

	put_octet(o, (uint8_t)n);
	if (n > 255)
		put_octet(o, (uint8_t)(n >> 8));
	if (n > 127)
		put_octet(o, n > 255 ? 0x82 : 0x81);
	put_octet(o, tag);
}

static void
put_int(struct out *o, int64_t v)
{
	const uint8_t *end = o->p;

	do {
		put_octet(o, (uint8_t)v);
		v >>= 8;
	} while ((v != 0 || *o->p & 0x80) && (v != -1 || !(*o->p & 0x80)));
	put_head(o, INT, end);
}

static void
put_octets(struct out *o, const void *p, size_t n)
{
	const uint8_t *end = o->p;

	put(o, p, n);
	put_head(o, OCTETS, end);
}

static void
put_name(struct out *o, const struct name *name)
{
	const uint8_t *end = o->p;

	for (size_t i = name->n; i-- > 2;) {
		put_octet(o, name->id[i] & 0x7f);
		for (uint32_t v = name->id[i] >> 7; v > 0; v >>= 7)
			put_octet(o, 0x80 | (v & 0x7f));
	}
	put_octet(o, (uint8_t)(name->id[0] * 40 + name->id[1]));
	put_head(o, OID, end);
}

/* ---- objects */

static const struct name columns[] = { { { 1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2 }, 13 }, { { 1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 3 }, 13 } };
enum { ROW_IDS = 20 };			/* the column, the FDB, six octets */

/* The name behind `name`; false: there is none. */
static bool
next_name(struct name *name, uint32_t rows)
{
	for (size_t c = 0; c < 2; c++) {
		uint32_t row = 0;

		if (name->n >= 13 && memcmp(name->id, columns[c].id, 13 * sizeof *name->id) == 0) {
			if (name->n == ROW_IDS)
				row = name->id[17] << 16 | name->id[18] << 8 | name->id[19];
		} else if (name->n >= 13 && memcmp(name->id, columns[c].id, 13 * sizeof *name->id) > 0)
			continue;
		if (row >= rows)
			continue;
		row++;
		*name = columns[c];
		for (size_t i = 13; i < ROW_IDS; i++)
			name->id[i] = (uint32_t[]){ 1, 0x44, 0x19, 0xb6, row >> 16 & 255, row >> 8 & 255, row & 255 }[i - 13];
		name->n = ROW_IDS;
		return true;
	}
	return false;
}

struct pdu { uint8_t kind; int64_t id, a, b; struct name names[NAMES]; size_t n; };

static bool
pdu_read(struct in *m, struct pdu *q)
{
	struct in body, list;

	q->kind = m->p < m->end ? *m->p : 0;
	body = get(m, 0);
	q->id = get_int(&body);
	q->a = get_int(&body);
	q->b = get_int(&body);
	list = get(&body, SEQ);
	for (q->n = 0; list.p < list.end && q->n < NAMES; q->n++) {
		struct in vb = get(&list, SEQ);

		q->names[q->n] = get_name(&vb);
		if (vb.bad || q->names[q->n].n < 2)
			return false;
	}
	return !body.bad && !list.bad && (q->kind == GET || q->kind == NEXT || q->kind == BULK);
}

static void
put_varbind(struct out *o, const struct name *name, uint8_t exception)
{
	const uint8_t *end = o->p;

	if (exception != 0)
		put_octet(o, 0), put_octet(o, exception);
	else
		put_int(o, name->id[name->n - 1] % 48 + 1);
	put_name(o, name);
	put_head(o, SEQ, end);
}

static void
put_answer(struct out *o, const struct pdu *q, uint32_t rows)
{
	static struct { struct name name; uint8_t exception; } v[512];
	const uint8_t *end = o->p;
	size_t n = 0, most = q->kind == BULK ? (size_t)(q->b > 0 ? q->b : 0) * q->n : q->n;

	if (most > 512)
		most = 512;
	for (; n < most && n * 32 < ANSWER_MAX - 200; n++) {
		v[n].name = n < q->n ? q->names[n] : v[n - q->n].name;
		v[n].exception = q->kind != GET && !next_name(&v[n].name, rows) ? END_OF_MIB : 0;
	}
	while (n > 0)
		n--, put_varbind(o, &v[n].name, v[n].exception);
	put_head(o, SEQ, end);
	put_int(o, 0);
	put_int(o, 0);
	put_int(o, q->id);
	put_head(o, RESPONSE, end);
}

static void
put_report(struct out *o, int64_t id, uint32_t counter)
{
	const struct name name = { { 1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0 }, 11 };
	const uint8_t *end = o->p;

	put_varbind(o, &name, 0);
	put_head(o, SEQ, end);
	put_int(o, 0);
	put_int(o, 0);
	put_int(o, id);
	put_head(o, REPORT, end);
}

/* ---- v3 */

struct message {
	int64_t		id, boots, time;
	uint8_t		flags;
	struct in	engine, user, digest, salt, data;
};

static bool
message_read(struct in *m, struct message *v)
{
	struct in head = get(m, SEQ), flags, par, usm;

	v->id = get_int(&head);
	get_int(&head);
	flags = get(&head, OCTETS);
	v->flags = flags.p < flags.end ? *flags.p : 0;
	par = get(m, OCTETS);
	usm = get(&par, SEQ);
	v->engine = get(&usm, OCTETS);
	v->boots = get_int(&usm);
	v->time = get_int(&usm);
	v->user = get(&usm, OCTETS);
	v->digest = get(&usm, OCTETS);
	v->salt = get(&usm, OCTETS);
	v->data = *m;
	return !m->bad && !head.bad && !usm.bad;
}

static void
key_local(const uint8_t *engine, size_t n, uint8_t out[static 32])
{
	uint8_t text[2 * sizeof ku + 32];

	memcpy(text, ku, sizeof ku);
	memcpy(text + sizeof ku, engine, n);
	memcpy(text + sizeof ku + n, ku, sizeof ku);
	EVP_Digest(text, 2 * sizeof ku + n, out, NULL, EVP_sha256(), NULL);
}

/* The password over and over for a mebioctet (RFC 3414 A.2). */
static void
key_of_password(const char *secret)
{
	size_t n = strlen(secret), size = 1 << 20;
	uint8_t *text = malloc(size);

	if (text == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		text[i] = (uint8_t)secret[i % n];
	EVP_Digest(text, size, ku, NULL, EVP_sha256(), NULL);
	free(text);
}

static void
crypt_aes(const struct engine *e, int64_t boots, int64_t at, const uint8_t *salt, uint8_t *p, size_t n, int encrypt)
{
	uint8_t iv[16] = { (uint8_t)(boots >> 24), (uint8_t)(boots >> 16), (uint8_t)(boots >> 8), (uint8_t)boots,
		(uint8_t)(at >> 24), (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at };
	int done;

	memcpy(iv + 8, salt, 8);
	if (!EVP_CipherInit_ex(cipher, EVP_aes_128_cfb128(), NULL, e->priv, iv, encrypt) || !EVP_CipherUpdate(cipher, p, &done, p, (int)n))
		abort();
}

struct self { uint8_t id[9]; int64_t boots, time; struct engine *e; };

static struct self
self_of(const struct v3_agent *a, uint32_t address)
{
	struct self s = { .id = { 0x80, 0, 0x7e, 0xd9, 4 }, .boots = 1 + address % 7 };
	uint32_t id = a->same_engine > 1 ? address - address % a->same_engine : address;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	s.time = ts.tv_sec + 1000 * (address % 5);
	for (int i = 0; i < 4; i++)
		s.id[5 + i] = (uint8_t)(id >> 8 * (3 - i));
	s.e = &engines[id % ENGINES];
	if (!s.e->known) {
		key_local(s.id, sizeof s.id, s.e->auth);
		memcpy(s.e->priv, s.e->auth, sizeof s.e->priv);
		s.e->known = true;
	}
	return s;
}

/* What stands in front of the data, which is written already; the digest last. */
static void
put_message(struct out *o, const uint8_t *end, const struct self *s, int64_t id, uint8_t flags, const char *user, const uint8_t *salt)
{
	static const uint8_t zero[DIGEST];
	const uint8_t *par = o->p, *head;
	uint8_t digest[32], *at;

	put_octets(o, salt, flags & 2 ? 8 : 0);
	put_octets(o, zero, flags & 1 ? DIGEST : 0);
	at = o->p + 2;
	put_octets(o, user, strlen(user));
	put_int(o, s->time);
	put_int(o, s->boots);
	put_octets(o, s->id, sizeof s->id);
	put_head(o, SEQ, par);
	put_head(o, OCTETS, par);
	head = o->p;
	put_int(o, 3);
	put_octets(o, &flags, 1);
	put_int(o, 65507);
	put_int(o, id);
	put_head(o, SEQ, head);
	put_int(o, 3);
	put_head(o, SEQ, end);
	if (flags & 1) {
		HMAC(EVP_sha256(), s->e->auth, sizeof s->e->auth, o->p, (size_t)(end - o->p), digest, NULL);
		memcpy(at, digest, DIGEST);
	}
}

static void
answer_v3(const struct v3_agent *a, uint32_t address, struct in *m, struct out *o)
{
	const uint8_t *end = o->p, *scoped;
	struct self s = self_of(a, address);
	uint8_t plain[2048], salt[8] = { 0 };
	struct message v;
	struct pdu q = { 0 };
	struct in data, body;
	uint32_t report = 0;
	size_t n = 0;

	if (!message_read(m, &v))
		return;
	if (v.engine.end - v.engine.p != sizeof s.id || memcmp(v.engine.p, s.id, sizeof s.id) != 0)
		report = UNKNOWN_ENGINE_ID;
	else if (v.boots != s.boots || llabs(v.time - s.time) > WINDOW_S)
		report = NOT_IN_TIME_WINDOW;
	if (v.flags & 2 && report == 0) {
		data = get(&v.data, OCTETS);
		n = (size_t)(data.end - data.p);
		if (data.bad || n > sizeof plain || v.salt.end - v.salt.p != 8)
			return;
		memcpy(plain, data.p, n);
		crypt_aes(s.e, v.boots, v.time, v.salt.p, plain, n, 0);
		v.data = (struct in){ plain, plain + n, false };
	}
	if (report == 0) {
		body = get(&v.data, SEQ);
		get(&body, OCTETS);
		get(&body, OCTETS);
		if (body.bad || !pdu_read(&body, &q))
			return;
		put_answer(o, &q, a->rows);
	} else
		put_report(o, 0, report);
	put_octets(o, "", 0);
	put_octets(o, s.id, sizeof s.id);
	put_head(o, SEQ, end);
	if (report == 0 && v.flags & 2) {
		scoped = o->p;
		memcpy(salt, &v.id, sizeof salt);
		crypt_aes(s.e, s.boots, s.time, salt, o->p, (size_t)(end - scoped), 1);
		put_head(o, OCTETS, end);
	}
	put_message(o, end, &s, v.id, report == UNKNOWN_ENGINE_ID ? 0 : report != 0 ? 1 : v.flags & 3,
	    report == UNKNOWN_ENGINE_ID ? "" : a->user, salt);
}

static void
answer_v2(const struct v3_agent *a, struct in *m, struct out *o)
{
	const uint8_t *end = o->p;
	struct in community = get(m, OCTETS);
	struct pdu q;

	if (m->bad || !pdu_read(m, &q))
		return;
	put_answer(o, &q, a->rows);
	put_octets(o, community.p, (size_t)(community.end - community.p));
	put_int(o, 1);
	put_head(o, SEQ, end);
}

static void
serve_one(const struct v3_agent *a)
{
	union { char b[CMSG_SPACE(sizeof(struct in_pktinfo))]; struct cmsghdr align; } control;
	uint8_t in[4096], buf[8192];
	struct sockaddr_in from;
	struct iovec iov = { in, sizeof in };
	struct msghdr h = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	struct out o = { buf, buf + sizeof buf };
	struct in all, m;
	ssize_t n = recvmsg(a->fd, &h, 0);
	struct in_pktinfo *info;

	if (n <= 0 || CMSG_FIRSTHDR(&h) == NULL)
		return;
	info = (struct in_pktinfo *)CMSG_DATA(CMSG_FIRSTHDR(&h));
	all = (struct in){ in, in + n, false };
	m = get(&all, SEQ);
	switch (get_int(&m)) {
	case 1: answer_v2(a, &m, &o); break;
	case 3: answer_v3(a, ntohl(info->ipi_addr.s_addr), &m, &o); break;
	}
	if (o.p == buf + sizeof buf)
		return;
	info->ipi_spec_dst = info->ipi_addr;
	info->ipi_ifindex = 0;
	iov = (struct iovec){ o.p, (size_t)(buf + sizeof buf - o.p) };
	sendmsg(a->fd, &h, 0);
}

void
v3_agent_run(const struct v3_agent *a)
{
	int one = 1;

	setsockopt(a->fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
	if ((cipher = EVP_CIPHER_CTX_new()) == NULL)
		abort();
	key_of_password(a->secret);
	for (;;)
		serve_one(a);
}
