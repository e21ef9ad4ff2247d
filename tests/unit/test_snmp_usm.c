/* tests/unit/test_snmp_usm.c: messages of v3, held against Net-SNMP's own in both directions for each pair of protocols; and what is
 * not from the engine that was asked, not signed by it, not lately or not as was asked for, is not taken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <openssl/evp.h>

#include "base/num.h"
#include "poller/snmp_usm.h"

enum { ROOM = 8192, MSG_ID = 0x12345678, BOOTS = 7, TIME = 100000 };

static char user_name[] = "monitor", auth_secret[] = "a secret to sign with", priv_secret[] = "a secret to hide with", other_secret[] = "quite another one";
static const struct mono now = { 1000000 };

static const struct { enum snmp_auth ours; int library; } auths[] = { { AUTH_MD5, NETSNMP_USMAUTH_HMACMD5 },
	{ AUTH_SHA1, NETSNMP_USMAUTH_HMACSHA1 }, { AUTH_SHA224, NETSNMP_USMAUTH_HMAC128SHA224 }, { AUTH_SHA256, NETSNMP_USMAUTH_HMAC192SHA256 },
	{ AUTH_SHA384, NETSNMP_USMAUTH_HMAC256SHA384 }, { AUTH_SHA512, NETSNMP_USMAUTH_HMAC384SHA512 } };
static const struct { enum snmp_priv ours; int library; } privs[] = { { PRIV_NONE, 0 }, { PRIV_DES, USM_CREATE_USER_PRIV_DES },
	{ PRIV_AES128, USM_CREATE_USER_PRIV_AES }, { PRIV_AES192, USM_CREATE_USER_PRIV_AES192 }, { PRIV_AES256, USM_CREATE_USER_PRIV_AES256 },
	{ PRIV_AES192C, USM_CREATE_USER_PRIV_AES192_CISCO }, { PRIV_AES256C, USM_CREATE_USER_PRIV_AES256_CISCO } };

/* One switch: as we know it and as the library does. */
struct both {
	struct conf_credential	 cred;
	struct snmp_engine	*engine;
	netsnmp_session		 session;
	uint8_t			 id[9];
};

static struct snmp_usm *usm;

static void
library_key(netsnmp_session *s, const char *secret, u_char *key, size_t *n)
{
	*n = USM_AUTH_KU_LEN;
	assert_int_equal(generate_Ku(s->securityAuthProto, (u_int)s->securityAuthProtoLen, (const u_char *)secret, strlen(secret), key, n), SNMPERR_SUCCESS);
}

static void
library_user(netsnmp_session *s, int auth, int priv)
{
	s->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	s->securityAuthProto = usmNoAuthProtocol;
	s->securityAuthProtoLen = nitems(usmNoAuthProtocol);
	s->securityPrivProto = usmNoPrivProtocol;
	s->securityPrivProtoLen = nitems(usmNoPrivProtocol);
	if (auth != 0) {
		s->securityLevel = SNMP_SEC_LEVEL_AUTHNOPRIV;
		s->securityAuthProto = sc_get_auth_oid(auth, &s->securityAuthProtoLen);
		library_key(s, auth_secret, s->securityAuthKey, &s->securityAuthKeyLen);
	}
	if (priv != 0) {
		s->securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
		s->securityPrivProto = sc_get_priv_oid(priv, &s->securityPrivProtoLen);
		library_key(s, priv_secret, s->securityPrivKey, &s->securityPrivKeyLen);
	}
	assert_int_equal(usm_create_user_from_session(s), SNMPERR_SUCCESS);
}

/* The engine is known, as after its discovery; what the library is told of its clock is `boots` and `time`. */
static void
both_make(struct both *b, enum snmp_auth auth, int library_auth, enum snmp_priv priv, int library_priv)
{
	static uint32_t serial;
	const char *why;

	memset(b, 0, sizeof *b);
	b->cred = (struct conf_credential){ .version = SNMP_V3, .user = user_name, .auth = auth, .auth_secret = auth_secret, .priv = priv,
		.priv_secret = priv_secret };
	memcpy(b->id, "\x80\x00\x7e\xd9\x04", 5);
	serial++;			/* the library keeps users for good */
	memcpy(b->id + 5, &serial, 4);
	b->engine = snmp_engine_new(usm, &b->cred, &why);
	assert_non_null(b->engine);
	snmp_engine_found(b->engine, &(struct message_security){ .engine = b->id, .n_engine = sizeof b->id, .boots = BOOTS, .time = TIME }, now);

	snmp_sess_init(&b->session);
	b->session.version = SNMP_VERSION_3;
	b->session.securityModel = SNMP_SEC_MODEL_USM;
	b->session.securityName = user_name;
	b->session.securityNameLen = strlen(user_name);
	b->session.securityEngineID = b->id;
	b->session.securityEngineIDLen = sizeof b->id;
	library_user(&b->session, library_auth, library_priv);
	assert_int_equal(set_enginetime(b->id, sizeof b->id, BOOTS, TIME, TRUE), SNMPERR_SUCCESS);
}

static void
make_usual(struct both *b)
{
	both_make(b, AUTH_SHA256, NETSNMP_USMAUTH_HMAC192SHA256, PRIV_AES128, USM_CREATE_USER_PRIV_AES);
}

static void
both_free(struct both *b)
{
	snmp_engine_free(b->engine);
}

static const struct message_oid names[] = { { { 1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2, 120, 0xffffffff }, 15 }, { { 1, 3, 6, 1, 2, 1, 1, 3, 0 }, 9 } };
static const struct message_question question = { .version = MESSAGE_V3, .pdu = PDU_GETBULK, .id = MSG_ID, .repetitions = 20, .oids = names, .n = 2 };

static uint8_t *
ask(struct both *b, uint8_t buf[static ROOM], size_t *n)
{
	uint8_t *p = snmp_engine_write(b->engine, &question, "vlan-120", now, buf, ROOM);

	if (p != NULL)
		*n = (size_t)(buf + ROOM - p);
	return p;
}

static void
asks(struct both *b, uint8_t buf[static ROOM], struct message_look *l)
{
	size_t n = 0;
	const uint8_t *p = ask(b, buf, &n);

	assert_non_null(p);
	assert_true(message_look(p, n, l));
}

/* ---- each pair of protocols */

static void
question_is_read_by_the_library(struct both *b)
{
	static uint8_t buf[ROOM];
	netsnmp_pdu *pdu = calloc(1, sizeof *pdu);
	const netsnmp_variable_list *v;
	size_t n = 0, i = 0;
	uint8_t *p = ask(b, buf, &n);

	assert_non_null(p);
	pdu->securityModel = SNMP_DEFAULT_SECMODEL;
	pdu->version = SNMP_VERSION_3;
	assert_int_equal(snmpv3_parse(pdu, p, &n, NULL, &b->session), SNMPERR_SUCCESS);
	assert_int_equal(pdu->msgid, MSG_ID);
	assert_int_equal(pdu->reqid, MSG_ID);
	assert_int_equal(pdu->command, SNMP_MSG_GETBULK);
	assert_int_equal(pdu->max_repetitions, 20);
	assert_int_equal(pdu->securityLevel, b->session.securityLevel);
	assert_int_equal(pdu->contextNameLen, strlen("vlan-120"));
	assert_memory_equal(pdu->contextName, "vlan-120", pdu->contextNameLen);
	assert_int_equal(pdu->contextEngineIDLen, sizeof b->id);
	assert_memory_equal(pdu->contextEngineID, b->id, sizeof b->id);
	for (v = pdu->variables; v != NULL; v = v->next_variable, i++) {
		assert_int_equal(v->name_length, names[i].n);
		for (size_t k = 0; k < names[i].n; k++)
			assert_int_equal(v->name[k], names[i].v[k]);
	}
	assert_int_equal(i, 2);
	snmp_free_pdu(pdu);
}

/* What the library writes, changed before by a case. */
struct answer {
	int	 command, level;		/* level: 0: as asked for */
	long	 msg_id, request;
	const char *context, *user;
	bool	 other_context_engine;
	oid	 name[MAX_OID_LEN];
	size_t	 n_name;
};

static const struct answer usual = { .command = SNMP_MSG_RESPONSE, .msg_id = MSG_ID, .request = MSG_ID, .context = "vlan-120", .user = user_name,
	.name = { 1, 3, 6, 1, 2, 1, 1, 3, 0 }, .n_name = 9 };

/* In memory of just its size, so that a look past its end is seen. The caller's. */
static uint8_t *
library_writes(struct both *b, const struct answer *a, size_t *size)
{
	netsnmp_pdu *pdu = snmp_pdu_create(a->command);
	size_t n = 0, room = 4096;
	u_char *buf = malloc(room);
	uint8_t *own, other[sizeof b->id];
	long ticks = 0x7654321;

	memcpy(other, b->id, sizeof other);
	other[8] ^= 1;
	pdu->version = SNMP_VERSION_3;
	pdu->msgid = a->msg_id;
	pdu->reqid = a->request;
	pdu->errstat = pdu->errindex = 0;
	pdu->flags &= ~(u_long)UCD_MSG_FLAG_EXPECT_RESPONSE;
	pdu->securityModel = SNMP_SEC_MODEL_USM;
	pdu->securityLevel = a->level != 0 ? a->level : b->session.securityLevel;
	pdu->securityName = strdup(a->user);
	pdu->securityNameLen = strlen(a->user);
	pdu->securityEngineID = netsnmp_memdup(b->id, sizeof b->id);
	pdu->securityEngineIDLen = sizeof other;
	pdu->contextEngineID = netsnmp_memdup(a->other_context_engine ? other : b->id, sizeof other);
	pdu->contextEngineIDLen = sizeof other;
	pdu->contextName = strdup(a->context);
	pdu->contextNameLen = strlen(a->context);
	assert_non_null(snmp_pdu_add_variable(pdu, a->name, a->n_name, ASN_TIMETICKS, &ticks, sizeof ticks));
	assert_int_equal(snmp_build(&buf, &room, &n, &b->session, pdu), 0);
	own = malloc(n);
	memcpy(own, buf + room - n, n);
	*size = n;
	free(buf);
	snmp_free_pdu(pdu);
	return own;
}

/* As a datagram that came at `when`, to the question of its msgID; *l: what was seen. */
static enum snmp_heard
comes(struct both *b, const uint8_t *p, size_t n, struct mono when, struct message_look *l)
{
	uint8_t *own = malloc(n);
	enum snmp_heard h = HEARD_NOTHING;

	assert_non_null(own);
	memcpy(own, p, n);
	if (message_look(own, n, l)) {
		assert_int_equal(l->version, MESSAGE_V3);
		h = snmp_engine_read(b->engine, own, n, l, "vlan-120", when);
	}
	if (h == HEARD_RESPONSE) {
		struct message_reader r = { .p = l->varbinds, .end = l->end };
		struct varbind v;

		assert_int_equal(l->error, 0);
		assert_true(message_next(&r, &v));
		assert_int_equal(v.type, VB_TIMETICKS);
		assert_int_equal(v.number, 0x7654321);
		assert_false(message_next(&r, &v));
	}
	free(own);
	return h;
}

static enum snmp_heard
answers(struct both *b, const struct answer *a, struct mono when)
{
	struct message_look l;
	size_t n;
	uint8_t *p = library_writes(b, a, &n);
	enum snmp_heard h = comes(b, p, n, when, &l);

	if (h == HEARD_RESPONSE)
		assert_true(a->msg_id == l.id && a->request == l.request);
	free(p);
	return h;
}

static void
pairs_agree(void **state)
{
	struct both b;

	(void)state;
	for (size_t a = 0; a < nitems(auths); a++)
		for (size_t p = 0; p < nitems(privs); p++) {
			print_message("auth %d, priv %d\n", (int)auths[a].ours, (int)privs[p].ours);
			both_make(&b, auths[a].ours, auths[a].library, privs[p].ours, privs[p].library);
			for (int i = 0; i < 3; i++) {
				question_is_read_by_the_library(&b);
				assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
			}
			both_free(&b);
		}
	both_make(&b, AUTH_NONE, 0, PRIV_NONE, 0);
	question_is_read_by_the_library(&b);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	both_free(&b);
}

/* ---- what is not taken */

static void
what_was_not_asked_for_is_not_taken(void **state)
{
	/* Nothing said: as was asked for. */
	static const struct { const char *name; enum snmp_heard heard; int command, level; long request; const char *context; bool other_context_engine; } cases[] = {
		{ "signed, but in plain text", HEARD_NOTHING, 0, SNMP_SEC_LEVEL_AUTHNOPRIV, 0, NULL, false },
		{ "not even signed", HEARD_NOTHING, 0, SNMP_SEC_LEVEL_NOAUTH, 0, NULL, false },
		{ "of another request", HEARD_NOTHING, 0, 0, MSG_ID + 1, NULL, false },
		{ "of another context", HEARD_NOTHING, 0, 0, 0, "vlan-12", false },
		{ "of a longer context", HEARD_NOTHING, 0, 0, 0, "vlan-1200", false },
		{ "of no context", HEARD_NOTHING, 0, 0, 0, "", false },
		{ "of another engine's context", HEARD_NOTHING, 0, 0, 0, NULL, true },
		{ "a question", HEARD_NOTHING, SNMP_MSG_GET, 0, 0, NULL, false },
		{ "a notification", HEARD_NOTHING, SNMP_MSG_TRAP2, 0, 0, NULL, false },
		{ "an inform", HEARD_NOTHING, SNMP_MSG_INFORM, 0, 0, NULL, false },
		{ "a notification, not signed", HEARD_NOTHING, SNMP_MSG_TRAP2, SNMP_SEC_LEVEL_NOAUTH, 0, NULL, false },
		{ "a Report with all there is", HEARD_REPORT_AUTHENTIC, SNMP_MSG_REPORT, 0, 0, NULL, false },
		{ "a signed Report", HEARD_REPORT_AUTHENTIC, SNMP_MSG_REPORT, SNMP_SEC_LEVEL_AUTHNOPRIV, 0, NULL, false },
		{ "a Report of anybody", HEARD_REPORT, SNMP_MSG_REPORT, SNMP_SEC_LEVEL_NOAUTH, 0, NULL, false },
	};
	struct answer a;
	struct both b;

	(void)state;
	make_usual(&b);
	question_is_read_by_the_library(&b);
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].name);
		a = usual;
		a.command = cases[i].command != 0 ? cases[i].command : a.command;
		a.level = cases[i].level;
		a.request = cases[i].request != 0 ? cases[i].request : a.request;
		a.context = cases[i].context != NULL ? cases[i].context : a.context;
		a.other_context_engine = cases[i].other_context_engine;
		assert_int_equal(answers(&b, &a, now), cases[i].heard);
	}
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	both_free(&b);
}

/* Engines of the same secrets, and another user of one. */
static void
of_others(void **state)
{
	static char stranger[] = "monitos";
	struct answer a = usual;
	uint8_t buf[ROOM], *p;
	struct message_look l;
	struct both b, c, d;
	size_t n;

	(void)state;
	make_usual(&b);
	make_usual(&c);
	make_usual(&d);
	assert_non_null(ask(&b, buf, &n));
	assert_non_null(ask(&c, buf, &n));
	assert_non_null(ask(&d, buf, &n));

	a.command = SNMP_MSG_REPORT;			/* which anybody may write, whatever engine it is of */
	a.level = SNMP_SEC_LEVEL_NOAUTH;
	memcpy(a.name, (const oid[]){ 1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0 }, (a.n_name = 11) * sizeof *a.name);
	p = library_writes(&c, &a, &n);
	assert_int_equal(comes(&c, p, n, now, &l), HEARD_REPORT);
	assert_int_equal(comes(&b, p, n, now, &l), HEARD_NOTHING);
	free(p);
	a.name[9] = USM_UNKNOWN_ENGINE_IDS;
	p = library_writes(&c, &a, &n);
	assert_int_equal(comes(&b, p, n, now, &l), HEARD_REPORT);
	free(p);
	a = usual;

	p = library_writes(&c, &usual, &n);
	assert_int_equal(comes(&c, p, n, now, &l), HEARD_RESPONSE);
	assert_int_equal(comes(&b, p, n, now, &l), HEARD_NOTHING);	/* an engine of the same user, but not this one */
	free(p);

	d.session.securityName = stranger;			/* of this engine, with the same secrets */
	d.session.flags &= ~(u_long)SNMP_FLAGS_USER_CREATED;
	assert_int_equal(usm_create_user_from_session(&d.session), SNMPERR_SUCCESS);
	a.user = stranger;
	p = library_writes(&d, &a, &n);
	assert_int_equal(comes(&d, p, n, now, &l), HEARD_NOTHING);
	free(p);
	both_free(&b);
	both_free(&c);
	both_free(&d);
}

/* Two switches may have one engine ID: each has its own keys and clock. */
static void
two_of_one_engine_id(void **state)
{
	struct conf_credential cred = { .version = SNMP_V3, .user = user_name, .auth = AUTH_SHA256, .auth_secret = other_secret, .priv = PRIV_AES128,
		.priv_secret = priv_secret };
	struct both b, c;
	const char *why;
	uint8_t buf[ROOM];
	size_t n;

	(void)state;
	make_usual(&b);
	c = b;
	c.engine = snmp_engine_new(usm, &cred, &why);
	assert_non_null(c.engine);
	snmp_engine_found(c.engine, &(struct message_security){ .engine = b.id, .n_engine = sizeof b.id, .boots = 1, .time = 1 }, now);
	assert_non_null(ask(&b, buf, &n));
	assert_non_null(ask(&c, buf, &n));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
		assert_int_equal(answers(&c, &usual, now), HEARD_NOTHING);	/* signed with the other's */
	}
	both_free(&c);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	both_free(&b);
}

/* Each octet as each value, and each length but the right one: whatever comes of it, it is not taken for what was signed. */
static void
damaged_ones(struct both *b, const struct answer *a)
{
	struct message_look l;
	uint8_t *p, buf[ROOM];
	size_t n;

	assert_non_null(ask(b, buf, &n));
	p = library_writes(b, a, &n);
	assert_int_equal(comes(b, p, n, now, &l), HEARD_RESPONSE);
	for (size_t i = 0; i < n; i++) {
		uint8_t was = p[i];

		for (unsigned v = 0; v < 256; v++) {
			p[i] = (uint8_t)v;
			if (v != was)
				assert_int_equal(comes(b, p, n, now, &l), HEARD_NOTHING);
		}
		p[i] = was;
	}
	for (size_t cut = 0; cut < n; cut++)
		assert_false(message_look(p, cut, &l));
	p = realloc(p, n + 1);
	p[n] = 0;
	assert_false(message_look(p, n + 1, &l));
	assert_int_equal(comes(b, p, n, now, &l), HEARD_RESPONSE);
	free(p);
}

static void
damaged_answers_are_not_taken(void **state)
{
	static const int some[][2] = { { 3, 2 }, { 5, 4 }, { 1, 1 }, { 0, 0 } };	/* in auths and privs */
	struct both b;

	(void)state;
	for (size_t i = 0; i < nitems(some); i++) {
		both_make(&b, auths[some[i][0]].ours, auths[some[i][0]].library, privs[some[i][1]].ours, privs[some[i][1]].library);
		damaged_ones(&b, &usual);
		both_free(&b);
	}
}

/* ---- time (RFC 3414 section 3.2, 7b), one after the other */

static void
old_answers_are_not_taken(void **state)
{
	static const struct { const char *name; int64_t s; u_int boots, at; enum snmp_heard heard; } cases[] = {
		{ "the first one sets the clock, whatever was claimed before", 0, 3, 5000, HEARD_RESPONSE },
		{ "at the same time", 0, 3, 5000, HEARD_RESPONSE },
		{ "an older one within the window", 0, 3, 4850, HEARD_RESPONSE },
		{ "one second beyond it", 0, 3, 4849, HEARD_NOTHING },
		{ "earlier boots, later time", 0, 2, 6000, HEARD_NOTHING },
		{ "the window moves with our clock", 100, 3, 4950, HEARD_RESPONSE },
		{ "and behind it is beyond", 100, 3, 4949, HEARD_NOTHING },
		{ "a clock that is fast", 100, 3, 9000, HEARD_RESPONSE },
		{ "what was heard before that", 100, 3, 5100, HEARD_NOTHING },
		{ "started anew", 101, 4, 0, HEARD_RESPONSE },
		{ "from before it started anew", 101, 3, 9001, HEARD_NOTHING },
		{ "boots at their end are nobody's", 101, INT32_MAX, 10, HEARD_NOTHING },
		{ "and have set nothing", 101, 4, 1, HEARD_RESPONSE },
	};
	uint8_t buf[ROOM];
	struct both b;
	size_t n;

	(void)state;
	make_usual(&b);				/* claims BOOTS and TIME: both later */
	assert_non_null(ask(&b, buf, &n));
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].name);
		assert_int_equal(set_enginetime(b.id, sizeof b.id, cases[i].boots, cases[i].at, TRUE), SNMPERR_SUCCESS);
		assert_int_equal(answers(&b, &usual, mono_add(now, cases[i].s * 1000)), cases[i].heard);
	}
	both_free(&b);
}

/* A switch that has started anew says so in a signed Report; the next question is in its time. */
static void
the_clock_is_set_by_signed_reports_only(void **state)
{
	static const struct answer late = { .command = SNMP_MSG_REPORT, .level = SNMP_SEC_LEVEL_AUTHNOPRIV, .msg_id = MSG_ID, .context = "",
		.user = user_name, .name = { 1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0 }, .n_name = 11 };
	struct answer unsigned_late = late;
	struct message_look l;
	uint8_t buf[ROOM], *p;
	struct both b;
	size_t n = 0;

	(void)state;
	unsigned_late.level = SNMP_SEC_LEVEL_NOAUTH;
	make_usual(&b);
	question_is_read_by_the_library(&b);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	assert_int_equal(set_enginetime(b.id, sizeof b.id, BOOTS + 1, 3, TRUE), SNMPERR_SUCCESS);

	p = library_writes(&b, &unsigned_late, &n);
	assert_int_equal(comes(&b, p, n, now, &l), HEARD_REPORT);
	free(p);
	asks(&b, buf, &l);
	assert_int_equal(l.security.boots, BOOTS);

	p = library_writes(&b, &late, &n);
	p[n - 1] ^= 1;
	assert_int_equal(comes(&b, p, n, now, &l), HEARD_NOTHING);
	p[n - 1] ^= 1;
	assert_true(message_look(p, n, &l));
	assert_int_equal(snmp_engine_read(b.engine, p, n, &l, "vlan-120", now), HEARD_REPORT_AUTHENTIC);
	assert_int_equal(snmp_usm_report(&l), USM_NOT_IN_TIME_WINDOWS);
	free(p);
	p = snmp_engine_write(b.engine, &question, NULL, mono_add(now, 5999), buf, sizeof buf);
	assert_true(message_look(p, (size_t)(buf + sizeof buf - p), &l));
	assert_int_equal(l.security.boots, BOOTS + 1);
	assert_int_equal(l.security.time, 3 + 5);
	both_free(&b);
}

/* Our own question is signed with the very key of its answer: sent back to us it must not make what discovery claimed a fact. */
static void
our_own_question_sets_no_clock(void **state)
{
	static const struct answer late = { .command = SNMP_MSG_REPORT, .level = SNMP_SEC_LEVEL_AUTHNOPRIV, .msg_id = MSG_ID, .context = "",
		.user = user_name, .name = { 1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0 }, .n_name = 11 };
	struct message_look l;
	uint8_t buf[ROOM], *p;
	struct both b;
	size_t n = 0;

	(void)state;
	make_usual(&b);
	p = snmp_engine_write(b.engine, &question, NULL, now, buf, sizeof buf);
	n = (size_t)(buf + sizeof buf - p);
	assert_true(message_look(p, n, &l));
	assert_int_equal(snmp_engine_read(b.engine, p, n, &l, NULL, now), HEARD_NOTHING);
	assert_int_equal(set_enginetime(b.id, sizeof b.id, BOOTS - 1, 3, TRUE), SNMPERR_SUCCESS);
	p = library_writes(&b, &late, &n);
	assert_true(message_look(p, n, &l));
	assert_int_equal(snmp_engine_read(b.engine, p, n, &l, NULL, now), HEARD_REPORT_AUTHENTIC);
	free(p);
	both_free(&b);
}

static void
library_clock(struct both *b, u_int boots, u_int at)
{
	assert_int_equal(set_enginetime(b->id, sizeof b->id, boots, at, TRUE), SNMPERR_SUCCESS);
}

/* Found again with an ID and a clock that anybody may have claimed; then what our questions say must be in that clock's boots. */
static void
found_again(struct both *b, const uint8_t *id, int32_t boots, int32_t at, int32_t asked_boots, int32_t asked_at)
{
	struct message_look l;
	uint8_t buf[ROOM];

	snmp_engine_forget(b->engine);
	snmp_engine_found(b->engine, &(struct message_security){ .engine = id, .n_engine = sizeof b->id, .boots = boots, .time = at }, now);
	asks(b, buf, &l);
	assert_int_equal(l.security.boots, asked_boots);
	assert_int_equal(l.security.time, asked_at);
}

/* RFC 3414 section 2.3: what makes us look for an engine anew takes nothing from what it has signed. */
static void
the_clock_outlives_the_engine(void **state)
{
	static const uint8_t other[] = "\x80\x00\x7e\xd9\x04othe";
	struct message_look l;
	uint8_t buf[ROOM], *old;
	struct both b;
	size_t n;

	(void)state;
	make_usual(&b);
	assert_non_null(ask(&b, buf, &n));
	library_clock(&b, 3, 5000);
	old = library_writes(&b, &usual, &n);
	assert_int_equal(comes(&b, old, n, now, &l), HEARD_RESPONSE);
	library_clock(&b, 4, 10);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);

	found_again(&b, b.id, 3, 5000, 4, 10);
	assert_int_equal(comes(&b, old, n, now, &l), HEARD_NOTHING);
	found_again(&b, other, 1, 1, 1, 1);
	found_again(&b, b.id, 3, 5000, 4, 10);
	assert_int_equal(comes(&b, old, n, now, &l), HEARD_NOTHING);

	found_again(&b, b.id, 9, 77, 9, 77);		/* it may have started anew; and if not, the next message says so */
	assert_int_equal(comes(&b, old, n, now, &l), HEARD_NOTHING);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	asks(&b, buf, &l);
	assert_int_equal(l.security.boots, 4);
	free(old);
	both_free(&b);
}

/* A switch that has lost its boots is believed what it signs just now. */
static void
a_clock_that_goes_back(void **state)
{
	static const struct answer late = { .command = SNMP_MSG_REPORT, .level = SNMP_SEC_LEVEL_AUTHNOPRIV, .msg_id = MSG_ID, .context = "",
		.user = user_name, .name = { 1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0 }, .n_name = 11 };
	struct answer a = usual;
	uint8_t buf[ROOM];
	struct both b;
	size_t n;

	(void)state;
	make_usual(&b);
	assert_non_null(ask(&b, buf, &n));
	library_clock(&b, 3, 5000);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	library_clock(&b, 1, 30);			/* it looks at the time, and says so */
	assert_int_equal(answers(&b, &usual, now), HEARD_NOTHING);
	found_again(&b, b.id, 1, 30, 3, 5000);
	assert_int_equal(answers(&b, &late, now), HEARD_REPORT_AUTHENTIC);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	found_again(&b, b.id, 1, 29, 1, 30);

	library_clock(&b, 0, 5);			/* it does not: one answer may be an old one with the id of our question, three are not */
	for (int i = 0; i < 5; i++)
		assert_int_equal(answers(&b, &usual, now), HEARD_NOTHING);
	a.msg_id = a.request = MSG_ID + 1;
	assert_int_equal(answers(&b, &a, now), HEARD_NOTHING);
	found_again(&b, b.id, 0, 5, 1, 30);
	a.msg_id = a.request = MSG_ID + 2;
	assert_int_equal(answers(&b, &a, now), HEARD_RESPONSE);
	found_again(&b, b.id, 0, 4, 0, 5);
	both_free(&b);
}

/* ---- discovery */

static void
discovery(void **state)
{
	static const struct answer unknown = { .command = SNMP_MSG_REPORT, .level = SNMP_SEC_LEVEL_NOAUTH, .msg_id = MSG_ID, .context = "", .user = "",
		.name = { 1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0 }, .n_name = 11 };
	struct message_security other;
	struct message_scope s;
	struct message_look l;
	uint8_t buf[ROOM], *p;
	struct both b;
	size_t n = 0;

	(void)state;
	make_usual(&b);
	snmp_engine_forget(b.engine);
	assert_false(snmp_engine_is_known(b.engine));
	asks(&b, buf, &l);
	assert_int_equal(l.security.flags, MESSAGE_REPORTABLE);	/* of nobody, for nothing, in no context */
	assert_int_equal(l.security.n_engine + l.security.n_user + l.security.n_digest + l.security.n_salt, 0);
	assert_int_equal(l.security.boots + l.security.time, 0);
	assert_true(message_look_scoped(l.data, l.n_data, &s, &l));
	assert_int_equal(l.pdu, PDU_GET);
	assert_true(l.varbinds == l.end && s.n_engine == 0 && s.n_context == 0);

	assert_int_equal(answers(&b, &usual, now), HEARD_NOTHING);	/* there are no keys to read it with */
	p = library_writes(&b, &unknown, &n);
	assert_true(message_look(p, n, &l));
	assert_int_equal(snmp_engine_read(b.engine, p, n, &l, NULL, now), HEARD_REPORT);
	assert_int_equal(snmp_usm_report(&l), USM_UNKNOWN_ENGINE_IDS);
	other = l.security;
	other.n_engine = 0;
	snmp_engine_found(b.engine, &other, now);
	assert_false(snmp_engine_is_known(b.engine));
	snmp_engine_found(b.engine, &l.security, now);
	assert_true(snmp_engine_is_known(b.engine));
	other.engine = (const uint8_t *)"\x80\0\0\0\5other";
	other.n_engine = 10;
	snmp_engine_found(b.engine, &other, now);		/* comes too late */
	free(p);
	question_is_read_by_the_library(&b);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	both_free(&b);
}

static bool
found_is_another(struct both *b, const uint8_t *id, size_t n)
{
	snmp_engine_forget(b->engine);
	return snmp_engine_found(b->engine, &(struct message_security){ .engine = id, .n_engine = n, .boots = 1, .time = 1 }, now);
}

/* Told once, and not of a stranger from whom no answer ever came. */
static void
another_engine_is_told(void **state)
{
	static const uint8_t one[] = "\x80\x00\x7e\xd9\x04one", two[ENGINE_ID_MAX] = "\x80\x00\x7e\xd9\x04two";
	char was[ENGINE_TEXT], is[ENGINE_TEXT], id[ENGINE_TEXT];
	static const struct answer plain = { .command = SNMP_MSG_RESPONSE, .msg_id = MSG_ID, .request = MSG_ID, .context = "vlan-120", .user = user_name,
		.name = { 1, 3, 6, 1, 2, 1, 1, 3, 0 }, .n_name = 9 };
	uint8_t buf[ROOM];
	struct both b;
	size_t n;

	(void)state;
	for (int secure = 1; secure >= 0; secure--) {
		if (secure)
			make_usual(&b);
		else
			both_make(&b, AUTH_NONE, 0, PRIV_NONE, 0);
		assert_false(found_is_another(&b, one, sizeof one - 1));
		assert_false(found_is_another(&b, b.id, sizeof b.id));
		assert_non_null(ask(&b, buf, &n));
		assert_int_equal(answers(&b, &plain, now), HEARD_RESPONSE);
		assert_false(found_is_another(&b, b.id, sizeof b.id));
		assert_true(found_is_another(&b, one, sizeof one - 1));
		assert_false(found_is_another(&b, one, sizeof one - 1));
		assert_false(found_is_another(&b, b.id, sizeof b.id));
		assert_false(found_is_another(&b, one, sizeof one - 1));
		assert_true(found_is_another(&b, two, sizeof two));
		snmp_engine_names(b.engine, was, is);
		snprintf(id, sizeof id, "80007ed904%02x%02x%02x%02x", b.id[5], b.id[6], b.id[7], b.id[8]);
		assert_string_equal(was, id);
		assert_string_equal(is, "80007ed90474776f000000000000000000000000000000000000000000000000");
		both_free(&b);
	}
}

/* ---- the rest */

static void
a_question_without_room_is_none(void **state)
{
	static const enum snmp_priv some[] = { PRIV_AES128, PRIV_DES };
	uint8_t buf[ROOM];
	struct both b;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < nitems(some); i++) {
		both_make(&b, AUTH_SHA1, NETSNMP_USMAUTH_HMACSHA1, some[i], some[i] == PRIV_DES ? USM_CREATE_USER_PRIV_DES : USM_CREATE_USER_PRIV_AES);
		assert_non_null(ask(&b, buf, &n));
		for (size_t room = 0; room < n; room++)
			assert_null(snmp_engine_write(b.engine, &question, "vlan-120", now, buf, room));
		assert_non_null(snmp_engine_write(b.engine, &question, "vlan-120", now, buf, n));
		both_free(&b);
	}
}

/* The same question is never the same octets: the salt is another (RFC 3826 section 3.1.1.1). */
static void
no_salt_comes_twice(void **state)
{
	enum { TIMES = 500 };
	static uint8_t salts[TIMES][8];
	struct message_look l;
	uint8_t buf[ROOM];
	struct both b;

	(void)state;
	make_usual(&b);
	for (size_t i = 0; i < TIMES; i++) {
		asks(&b, buf, &l);
		assert_int_equal(l.security.n_salt, 8);
		memcpy(salts[i], l.security.salt, 8);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(salts[i], salts[k], 8);
	}
	both_free(&b);
}

static void
credentials_that_are_refused(void **state)
{
	static char small[] = "1234567";
	const struct { const char *name; struct conf_credential c; } cases[] = {
		{ "privacy alone", { .version = SNMP_V3, .user = user_name, .priv = PRIV_AES128, .priv_secret = priv_secret } },
		{ "a short secret", { .version = SNMP_V3, .user = user_name, .auth = AUTH_SHA256, .auth_secret = small } },
		{ "no secret", { .version = SNMP_V3, .user = user_name, .auth = AUTH_SHA256 } },
		{ "no secret to hide with", { .version = SNMP_V3, .user = user_name, .auth = AUTH_SHA256, .auth_secret = auth_secret, .priv = PRIV_AES128 } },
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].name);
		assert_null(snmp_engine_new(usm, &cases[i].c, &why));
		assert_non_null(why);
		assert_string_not_equal(why, "");
	}
}

/* Linked with --wrap. */
static bool mac_fails;
int __real_EVP_MAC_init(EVP_MAC_CTX *c, const unsigned char *key, size_t n, const OSSL_PARAM *params);
int __wrap_EVP_MAC_init(EVP_MAC_CTX *c, const unsigned char *key, size_t n, const OSSL_PARAM *params);

int
__wrap_EVP_MAC_init(EVP_MAC_CTX *c, const unsigned char *key, size_t n, const OSSL_PARAM *params)
{
	return mac_fails ? 0 : __real_EVP_MAC_init(c, key, n, params);
}

/* Memory that was out when an engine was forgotten, or when a question was to be signed, does not end its protocol for all. */
static void
a_failure_to_sign_passes(void **state)
{
	struct both b, c;
	uint8_t buf[ROOM];
	size_t n = 0;

	(void)state;
	make_usual(&b);
	make_usual(&c);
	question_is_read_by_the_library(&c);
	mac_fails = true;
	snmp_engine_forget(c.engine);
	assert_null(ask(&b, buf, &n));
	mac_fails = false;
	question_is_read_by_the_library(&b);
	assert_int_equal(answers(&b, &usual, now), HEARD_RESPONSE);
	both_free(&b);
	both_free(&c);
}

static int
begin(void **state)
{
	(void)state;
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);
	snmp_disable_log();
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	init_snmp("camtrapd");
	return (usm = snmp_usm_new()) != NULL ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	snmp_usm_free(usm);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_agree),
		cmocka_unit_test(what_was_not_asked_for_is_not_taken),
		cmocka_unit_test(of_others),
		cmocka_unit_test(two_of_one_engine_id),
		cmocka_unit_test(damaged_answers_are_not_taken),
		cmocka_unit_test(old_answers_are_not_taken),
		cmocka_unit_test(the_clock_is_set_by_signed_reports_only), cmocka_unit_test(our_own_question_sets_no_clock),
		cmocka_unit_test(the_clock_outlives_the_engine),
		cmocka_unit_test(a_clock_that_goes_back),
		cmocka_unit_test(discovery),
		cmocka_unit_test(another_engine_is_told),
		cmocka_unit_test(a_question_without_room_is_none),
		cmocka_unit_test(no_salt_comes_twice),
		cmocka_unit_test(credentials_that_are_refused),
		cmocka_unit_test(a_failure_to_sign_passes),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
