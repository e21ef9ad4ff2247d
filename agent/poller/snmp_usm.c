/* agent/poller/snmp_usm.c: see snmp_usm.h. Of Net-SNMP's there are the keys: passwords made keys, and keys made longer and localised
 * (RFC 3414 appendix A.2, and two drafts for AES-192 and AES-256). What each datagram takes is done here, with OpenSSL's algorithms
 * looked for once: to look for them takes longer than to use them. */
#include "poller/snmp_usm.h"

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/num.h"
#include "base/text.h"

enum { KEY_MAX = 64, SALT = 8, WINDOW_S = 150 };	/* octets; octets; RFC 3414 section 2.2.3 */
enum { BEHIND_MAX = 3 };			/* answers: as many as there are tries */

static const struct auth_kind {
	const char	*digest;		/* of HMAC */
	int		 library;
	size_t		 sent;			/* octets of it; RFC 3414 section 6, RFC 7860 section 4.1 */
} auth_kinds[] = {
	[AUTH_MD5] =	{ "MD5",	NETSNMP_USMAUTH_HMACMD5,	12 },
	[AUTH_SHA1] =	{ "SHA1",	NETSNMP_USMAUTH_HMACSHA1,	12 },
	[AUTH_SHA224] =	{ "SHA224",	NETSNMP_USMAUTH_HMAC128SHA224,	16 },
	[AUTH_SHA256] =	{ "SHA256",	NETSNMP_USMAUTH_HMAC192SHA256,	24 },
	[AUTH_SHA384] =	{ "SHA384",	NETSNMP_USMAUTH_HMAC256SHA384,	32 },
	[AUTH_SHA512] =	{ "SHA512",	NETSNMP_USMAUTH_HMAC384SHA512,	48 },
};

/* DES: OpenSSL has it in a provider that is mostly not loaded; triple DES with one key thrice is the same. */
static const struct priv_kind {
	const char	*cipher;
	int		 library;
	size_t		 key;			/* octets; of DES the last 8 are not key but pre-IV (RFC 3414 section 8.1.1.1) */
} priv_kinds[] = {
	[PRIV_DES] =	 { "DES-EDE3-CBC",	USM_CREATE_USER_PRIV_DES,		16 },
	[PRIV_AES128] =	 { "AES-128-CFB",	USM_CREATE_USER_PRIV_AES,		16 },
	[PRIV_AES192] =	 { "AES-192-CFB",	USM_CREATE_USER_PRIV_AES192,		24 },
	[PRIV_AES256] =	 { "AES-256-CFB",	USM_CREATE_USER_PRIV_AES256,		32 },
	[PRIV_AES192C] = { "AES-192-CFB",	USM_CREATE_USER_PRIV_AES192_CISCO,	24 },
	[PRIV_AES256C] = { "AES-256-CFB",	USM_CREATE_USER_PRIV_AES256_CISCO,	32 },
};

struct key { uint8_t octets[KEY_MAX]; size_t n; };

/* A password made a key that is not localised yet; wiped when the last engine that it is for is freed. */
struct password {
	struct password	*next;
	size_t		 users;
	enum snmp_auth	 auth;
	char		*secret;
	struct key	 key;
};

struct snmp_usm {
	struct password	*passwords;
	EVP_MAC_CTX	*mac[nitems(auth_kinds)];	/* NULL: not needed yet */
	EVP_CIPHER	*cipher[nitems(priv_kinds)];
	EVP_CIPHER_CTX	*crypt;
	uint64_t	 salt;			/* of the next message; begun anywhere, so that it is not that of an earlier process */
};

/* RFC 3414 section 2.3: boots and time of an engine, as they were heard then. */
struct engine_clock { int32_t boots, time; struct mono heard; };

/* Who gave the last answer, or signed one, and the latest clock that it signed. It outlives snmp_engine_forget(): what an engine has signed at
 * any time is not taken for new when it is found again, after whatever others claimed in its name. */
struct engine_past { uint8_t id[ENGINE_ID_MAX]; size_t n_id; struct engine_clock clock; };

struct snmp_engine {
	struct snmp_usm			*usm;
	const struct conf_credential	*cred;
	struct password			*auth_password, *priv_password;	/* of `usm`; NULL: not at this level */
	uint8_t				 level;	/* MESSAGE_AUTH, MESSAGE_PRIV */
	uint8_t				 id[ENGINE_ID_MAX];
	size_t				 n_id;	/* 0: not known */
	bool				 keyed;
	struct key			 auth, priv;	/* localised */
	struct engine_clock		 clock;	/* for questions: that of `past`, or what discovery claims */
	struct engine_past		 past;
	uint8_t				 other[ENGINE_ID_MAX];	/* another than `past`, of which was told */
	size_t				 n_other;
	unsigned			 behind;	/* see has_gone_back() */
	long				 behind_id;
};

/* ---- passwords */

static void
password_free(struct password *p)
{
	if (p->secret != NULL)
		explicit_bzero(p->secret, strlen(p->secret));
	free(p->secret);
	explicit_bzero(p, sizeof *p);
	free(p);
}

/* For password_leave(). NULL: out of memory. */
static struct password *
password_take(struct snmp_usm *u, enum snmp_auth auth, const char *secret)
{
	size_t n_proto;
	const oid *proto = sc_get_auth_oid(auth_kinds[auth].library, &n_proto);
	struct password *p;

	for (p = u->passwords; p != NULL; p = p->next)
		if (p->auth == auth && strcmp(p->secret, secret) == 0) {
			p->users++;
			return p;
		}
	if (proto == NULL || (p = calloc(1, sizeof *p)) == NULL)
		return NULL;
	p->auth = auth;
	p->users = 1;
	p->key.n = sizeof p->key.octets;
	if ((p->secret = strdup(secret)) == NULL || generate_Ku(proto, (u_int)n_proto, (const u_char *)secret, strlen(secret), p->key.octets,
	    &p->key.n) != SNMPERR_SUCCESS) {
		password_free(p);
		return NULL;
	}
	p->next = u->passwords;
	u->passwords = p;
	return p;
}

/* NULL is fine. */
static void
password_leave(struct snmp_usm *u, struct password *p)
{
	struct password **at = &u->passwords;

	if (p == NULL || --p->users > 0)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	password_free(p);
}

/* ---- algorithms */

static bool
mac_find(struct snmp_usm *u, enum snmp_auth auth)
{
	OSSL_PARAM digest[2] = { OSSL_PARAM_END, OSSL_PARAM_END };
	EVP_MAC *hmac;
	char name[8];

	if (u->mac[auth] != NULL)
		return true;
	snprintf(name, sizeof name, "%s", auth_kinds[auth].digest);
	digest[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	if ((hmac = EVP_MAC_fetch(NULL, "HMAC", NULL)) == NULL)
		return false;
	u->mac[auth] = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);		/* the context has its own reference */
	if (u->mac[auth] != NULL && EVP_MAC_CTX_set_params(u->mac[auth], digest) == 1)
		return true;
	EVP_MAC_CTX_free(u->mac[auth]);
	u->mac[auth] = NULL;
	return false;
}

static bool
cipher_find(struct snmp_usm *u, enum snmp_priv priv)
{
	if (u->cipher[priv] == NULL)
		u->cipher[priv] = EVP_CIPHER_fetch(NULL, priv_kinds[priv].cipher, NULL);
	return u->cipher[priv] != NULL;
}

/* The contexts hold the keys that they were last used with. */
static void
keys_leave(struct snmp_usm *u, enum snmp_auth auth)
{
	static const uint8_t none[KEY_MAX];

	EVP_CIPHER_CTX_reset(u->crypt);
	if (u->mac[auth] != NULL && EVP_MAC_init(u->mac[auth], none, sizeof none, NULL) != 1) {
		EVP_MAC_CTX_free(u->mac[auth]);
		u->mac[auth] = NULL;
	}
}

struct snmp_usm *
snmp_usm_new(void)
{
	struct snmp_usm *u = calloc(1, sizeof *u);

	if (u == NULL || (u->crypt = EVP_CIPHER_CTX_new()) == NULL || getrandom(&u->salt, sizeof u->salt, 0) != (ssize_t)sizeof u->salt) {
		snmp_usm_free(u);
		return NULL;
	}
	return u;
}

void
snmp_usm_free(struct snmp_usm *u)
{
	if (u == NULL)
		return;
	assert(u->passwords == NULL);
	for (size_t i = 0; i < nitems(u->mac); i++)
		EVP_MAC_CTX_free(u->mac[i]);
	for (size_t i = 0; i < nitems(u->cipher); i++)
		EVP_CIPHER_free(u->cipher[i]);
	EVP_CIPHER_CTX_free(u->crypt);
	free(u);
}

/* ---- engines */

static const char *
secret_refused(const char *secret)
{
	return secret == NULL || strlen(secret) < USM_LENGTH_P_MIN ? "secret refused (at least 8 octets)" : NULL;
}

/* NULL: well; else as snmp_engine_new(). */
static const char *
credential_take(struct snmp_engine *e, const struct conf_credential *c)
{
	const char *why;

	if (c->auth == AUTH_NONE)
		return c->priv == PRIV_NONE ? NULL : "privacy without authentication";
	if (!mac_find(e->usm, c->auth))
		return "authentication protocol not in this OpenSSL";
	if ((why = secret_refused(c->auth_secret)) != NULL)
		return why;
	if ((e->auth_password = password_take(e->usm, c->auth, c->auth_secret)) == NULL)
		return "";
	e->level = MESSAGE_AUTH;
	if (c->priv == PRIV_NONE)
		return NULL;
	if (!cipher_find(e->usm, c->priv))
		return "privacy protocol not in this OpenSSL";
	if ((why = secret_refused(c->priv_secret)) != NULL)
		return why;
	if ((e->priv_password = password_take(e->usm, c->auth, c->priv_secret)) == NULL)
		return "";
	e->level |= MESSAGE_PRIV;
	return NULL;
}

struct snmp_engine *
snmp_engine_new(struct snmp_usm *u, const struct conf_credential *c, const char **why)
{
	struct snmp_engine *e = calloc(1, sizeof *e);

	assert(c->version == SNMP_V3 && c->user != NULL);
	*why = "";
	if (e == NULL)
		return NULL;
	e->usm = u;
	e->cred = c;
	if ((*why = credential_take(e, c)) == NULL)
		return e;
	snmp_engine_free(e);
	return NULL;
}

void
snmp_engine_forget(struct snmp_engine *e)
{
	if (e->keyed)
		keys_leave(e->usm, e->cred->auth);
	explicit_bzero(&e->auth, sizeof e->auth);
	explicit_bzero(&e->priv, sizeof e->priv);
	e->n_id = 0;
	e->keyed = false;
}

void
snmp_engine_free(struct snmp_engine *e)
{
	if (e == NULL)
		return;
	snmp_engine_forget(e);
	password_leave(e->usm, e->auth_password);
	password_leave(e->usm, e->priv_password);
	free(e);
}

void
snmp_engine_rebind(struct snmp_engine *e, const struct conf_credential *c)
{
	e->cred = c;
}

bool
snmp_engine_is_known(const struct snmp_engine *e)
{
	return e->n_id > 0;
}

bool
snmp_engine_signs(const struct snmp_engine *e)
{
	return (e->level & MESSAGE_AUTH) != 0;
}

static int32_t
time_at(const struct engine_clock *c, struct mono now)
{
	int64_t t = c->time + mono_since(c->heard, now) / 1000;

	return t > INT32_MAX ? INT32_MAX : (int32_t)t;
}

static bool
octets_same(const uint8_t *a, size_t na, const void *b, size_t nb)
{
	return na == nb && memcmp(a, b, na) == 0;
}

/* The engine that is known gave an answer before, and so told its clock, if it signs. */
static bool
has_past(const struct snmp_engine *e)
{
	return octets_same(e->past.id, e->past.n_id, e->id, e->n_id);
}

static void
past_set(struct snmp_engine *e, struct engine_clock clock)
{
	if (!has_past(e)) {
		memcpy(e->past.id, e->id, e->n_id);
		e->past.n_id = e->n_id;
		e->n_other = 0;
	}
	e->past.clock = clock;
}

/* Once per change; one that is claimed in vain is told of again only when another was meanwhile. */
static bool
is_another(struct snmp_engine *e)
{
	if (e->past.n_id == 0 || has_past(e) || octets_same(e->other, e->n_other, e->id, e->n_id))
		return false;
	memcpy(e->other, e->id, e->n_id);
	e->n_other = e->n_id;
	return true;
}

/* The later one of what is claimed and what is known: if the claim is false, the engine will say so, signed. */
bool
snmp_engine_found(struct snmp_engine *e, const struct message_security *m, struct mono now)
{
	const struct engine_clock *past = &e->past.clock;

	if (e->n_id > 0 || m->n_engine == 0)
		return false;
	assert(!e->keyed && m->n_engine <= sizeof e->id);
	memcpy(e->id, m->engine, m->n_engine);
	e->n_id = m->n_engine;
	e->clock = (struct engine_clock){ m->boots, m->time, now };
	if (has_past(e) && (m->boots < past->boots || (m->boots == past->boots && m->time <= time_at(past, now))))
		e->clock = *past;
	return is_another(e);
}

void
snmp_engine_names(const struct snmp_engine *e, char was[static ENGINE_TEXT], char is[static ENGINE_TEXT])
{
	text_hex(was, ENGINE_TEXT, e->past.id, e->past.n_id);
	text_hex(is, ENGINE_TEXT, e->id, e->n_id);
}

static bool
localise(const struct snmp_engine *e, const struct key *password, struct key *out)
{
	size_t n_proto;
	const oid *proto = sc_get_auth_oid(auth_kinds[e->cred->auth].library, &n_proto);

	out->n = sizeof out->octets;
	return proto != NULL && generate_kul(proto, (u_int)n_proto, e->id, e->n_id, password->octets, password->n, out->octets, &out->n) == SNMPERR_SUCCESS;
}

/* Until there are as many octets as the cipher takes. */
static bool
extend(struct snmp_engine *e, struct key *k)
{
	const struct priv_kind *kind = &priv_kinds[e->cred->priv];
	size_t n_proto;
	oid *proto = sc_get_auth_oid(auth_kinds[e->cred->auth].library, &n_proto);
	u_char *octets = k->octets;	/* large enough to stay it */

	return proto != NULL && (k->n >= kind->key || (netsnmp_extend_kul((u_int)kind->key, proto, (u_int)n_proto, kind->library, e->id,
	    (u_int)e->n_id, &octets, &k->n, sizeof k->octets) == SNMPERR_SUCCESS && octets == k->octets && k->n >= kind->key));
}

/* The keys for this engine, if they are not made yet. */
static bool
keys_make(struct snmp_engine *e)
{
	if (e->keyed)
		return true;
	if (((e->level & MESSAGE_AUTH) != 0 && !localise(e, &e->auth_password->key, &e->auth)) ||
	    ((e->level & MESSAGE_PRIV) != 0 && (!localise(e, &e->priv_password->key, &e->priv) || !extend(e, &e->priv)))) {
		explicit_bzero(&e->auth, sizeof e->auth);
		explicit_bzero(&e->priv, sizeof e->priv);
		return false;
	}
	e->keyed = true;
	return true;
}

/* ---- what is done to octets. false: out of memory. */

/* HMAC of a message as if its digest were zeros (RFC 3414 section 6.3.1). */
static bool
sign(const struct snmp_engine *e, const uint8_t *p, size_t n, const uint8_t *digest, uint8_t out[static EVP_MAX_MD_SIZE])
{
	static const uint8_t zeros[DIGEST_MAX];
	EVP_MAC_CTX *c = mac_find(e->usm, e->cred->auth) ? e->usm->mac[e->cred->auth] : NULL;	/* keys_leave() may have given it up */
	size_t sent = auth_kinds[e->cred->auth].sent, before = (size_t)(digest - p), done;

	assert(e->keyed && before + sent <= n);
	return c != NULL && EVP_MAC_init(c, e->auth.octets, e->auth.n, NULL) == 1 && EVP_MAC_update(c, p, before) == 1 &&
	    EVP_MAC_update(c, zeros, sent) == 1 && EVP_MAC_update(c, digest + sent, n - before - sent) == 1 &&
	    EVP_MAC_final(c, out, &done, EVP_MAX_MD_SIZE) == 1;
}

/* RFC 3414 section 8.1.1.1, RFC 3826 section 3.1.2.1; in place. DES: whole blocks. */
static bool
crypt_octets(const struct snmp_engine *e, const struct message_security *m, uint8_t *p, size_t n, int encrypt)
{
	EVP_CIPHER_CTX *c = e->usm->crypt;
	const uint8_t *key = e->priv.octets;
	uint8_t iv[16], des[24];
	bool done;
	int out = 0;

	assert(e->keyed && m->n_salt == SALT && n <= INT32_MAX);
	if (e->cred->priv == PRIV_DES) {
		for (size_t i = 0; i < SALT; i++) {
			iv[i] = m->salt[i] ^ e->priv.octets[8 + i];
			des[i] = des[8 + i] = des[16 + i] = e->priv.octets[i];
		}
		key = des;
	} else {
		for (size_t i = 0; i < 4; i++) {
			iv[i] = (uint8_t)((uint32_t)m->boots >> (24 - 8 * i));
			iv[4 + i] = (uint8_t)((uint32_t)m->time >> (24 - 8 * i));
		}
		memcpy(iv + 8, m->salt, SALT);
	}
	done = EVP_CipherInit_ex2(c, e->usm->cipher[e->cred->priv], key, iv, encrypt, NULL) == 1 && EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
	    EVP_CipherUpdate(c, p, &out, p, (int)n) == 1 && (size_t)out == n;
	explicit_bzero(iv, sizeof iv);
	if (key == des)
		explicit_bzero(des, sizeof des);
	return done;
}

/* ---- questions */

/* Whole blocks: what is behind the scoped PDU is not read (RFC 3414 section 8.1.1.2). */
static uint8_t *
pad(uint8_t *buf, uint8_t *data, size_t n, size_t block)
{
	size_t more = (block - n % block) % block;

	if ((size_t)(data - buf) < more)
		return NULL;
	memmove(data - more, data, n);
	memset(data - more + n, 0, more);
	return data - more;
}

uint8_t *
snmp_engine_write(struct snmp_engine *e, const struct message_question *q, const char *context, struct mono now, uint8_t *buf, size_t size)
{
	static const struct message_scope no_scope = { .engine = (const uint8_t *)"", .context = (const uint8_t *)"" };
	uint8_t salt[SALT] = { 0 };
	struct message_security m = { .flags = MESSAGE_REPORTABLE, .engine = e->id, .user = (const uint8_t *)"", .salt = salt, .n_engine = e->n_id };
	struct message_scope scope = no_scope;
	const struct message_question nothing = { .version = MESSAGE_V3, .pdu = PDU_GET, .id = q->id };
	uint8_t hmac[EVP_MAX_MD_SIZE], *data, *p, *digest, *end = buf + size;

	if (e->n_id == 0) {
		q = &nothing;
	} else {
		if (!keys_make(e))
			return NULL;
		m.flags |= e->level;
		m.user = (const uint8_t *)e->cred->user;
		m.n_user = strlen(e->cred->user);
		scope.engine = e->id;
		scope.n_engine = e->n_id;
		if (context != NULL) {
			scope.context = (const uint8_t *)context;
			scope.n_context = strlen(context);
		}
	}
	if (m.flags & MESSAGE_AUTH) {
		m.boots = e->clock.boots;
		m.time = time_at(&e->clock, now);
		m.n_digest = auth_kinds[e->cred->auth].sent;
	}
	if ((data = message_write_scoped(q, &scope, buf, size)) == NULL)
		return NULL;
	if (m.flags & MESSAGE_PRIV) {
		e->usm->salt++;
		memcpy(salt, &e->usm->salt, SALT);
		m.n_salt = SALT;
		if ((e->cred->priv == PRIV_DES && (data = pad(buf, data, (size_t)(end - data), 8)) == NULL) ||
		    !crypt_octets(e, &m, data, (size_t)(end - data), 1))
			return NULL;
	}
	if ((p = message_write_secured(&m, q->id, buf, data, end, &digest)) == NULL)
		return NULL;
	if (m.flags & MESSAGE_AUTH) {
		if (!sign(e, p, (size_t)(end - p), digest, hmac))
			return NULL;
		memcpy(digest, hmac, m.n_digest);
	}
	return p;
}

/* ---- answers */

/* Switches lose their boots, some each time they start. RFC 3414 section 3.2, 7b would have us deaf to them until they have been up
 * for as long again. What is believed instead are messages that were signed just now, as nobody can tell the ids of our questions: a
 * Report that our time is not that of the engine (not one in years is there to be replayed), and of engines that do not look at the
 * time the answers to several questions in a row (of millions recorded, one may have the id of a question, but not of each). */
static bool
has_gone_back(struct snmp_engine *e, const struct message_look *l)
{
	if (snmp_usm_report(l) == USM_NOT_IN_TIME_WINDOWS)
		return true;
	if (e->behind > 0 && l->id == e->behind_id)
		return false;			/* the same once more */
	e->behind_id = l->id;
	return ++e->behind == BEHIND_MAX;
}

/* RFC 3414 section 3.2, 7b, of an authentic message: what is later than all before sets the clock; what is more than the window behind
 * it is none of ours. */
static bool
in_time(struct snmp_engine *e, const struct message_look *l, struct mono now)
{
	const struct message_security *m = &l->security;
	const struct engine_past *past = &e->past;
	bool known = has_past(e);

	if (m->boots == INT32_MAX)
		return false;
	if (known && (m->boots < past->clock.boots || (m->boots == past->clock.boots && m->time < time_at(&past->clock, now) - WINDOW_S))) {
		if (!has_gone_back(e, l))
			return false;
		known = false;
	}
	if (!known || m->boots > past->clock.boots || m->time > past->clock.time)
		past_set(e, (struct engine_clock){ m->boots, m->time, now });
	e->clock = past->clock;
	e->behind = 0;
	return true;
}

/* RFC 3414 section 3.2, 6. 0: it is signed; -EACCES: it is not; -ENOMEM: nobody knows. */
static int
signature_check(struct snmp_engine *e, const uint8_t *datagram, size_t n, const struct message_security *m)
{
	uint8_t hmac[EVP_MAX_MD_SIZE];
	size_t sent = auth_kinds[e->cred->auth].sent;

	if (m->n_digest != sent)
		return -EACCES;
	if (!sign(e, datagram, n, m->digest, hmac))
		return -ENOMEM;
	return CRYPTO_memcmp(hmac, m->digest, sent) == 0 ? 0 : -EACCES;
}

enum snmp_heard
snmp_engine_read(struct snmp_engine *e, uint8_t *datagram, size_t n, struct message_look *l, const char *context, struct mono now)
{
	const struct message_security *m = &l->security;
	uint8_t level = m->flags & (MESSAGE_AUTH | MESSAGE_PRIV), *data = datagram + (l->data - datagram);
	bool this_engine = octets_same(m->engine, m->n_engine, e->id, e->n_id);
	bool ours = e->keyed && this_engine && octets_same(m->user, m->n_user, e->cred->user, strlen(e->cred->user));
	struct message_scope s;
	int rc;

	/* Nothing in it is looked at before it is known to be authentic, where it says so. */
	if ((level & ~e->level) != 0 || level == MESSAGE_PRIV || (level != 0 && !ours))
		return HEARD_NOTHING;
	if ((level & MESSAGE_AUTH) != 0 && (rc = signature_check(e, datagram, n, m)) < 0)
		return rc == -ENOMEM ? HEARD_UNREAD : HEARD_NOTHING;
	if ((level & MESSAGE_PRIV) != 0) {
		if (m->n_salt != SALT || (e->cred->priv == PRIV_DES && l->n_data % 8 != 0))
			return HEARD_NOTHING;
		if (!crypt_octets(e, m, data, l->n_data, 0))
			return HEARD_UNREAD;
	}
	if (!message_look_scoped(data, l->n_data, &s, l))
		return HEARD_NOTHING;
	/* Our own question, sent back to us, is signed as well: it sets no clock. */
	if (l->pdu != PDU_REPORT && l->pdu != PDU_RESPONSE)
		return HEARD_NOTHING;
	if ((level & MESSAGE_AUTH) != 0 && !in_time(e, l, now))
		return HEARD_NOTHING;
	/* A Report comes with less security than was asked for where it must; of another engine it can only say that it is another. */
	if (l->pdu == PDU_REPORT && level != 0)
		return HEARD_REPORT_AUTHENTIC;
	if (l->pdu == PDU_REPORT)
		return e->n_id == 0 || this_engine || snmp_usm_report(l) == USM_UNKNOWN_ENGINE_IDS ? HEARD_REPORT : HEARD_NOTHING;
	if (!ours || level != e->level || l->request != l->id || !octets_same(s.engine, s.n_engine, e->id, e->n_id) ||
	    !octets_same(s.context, s.n_context, context != NULL ? context : "", context != NULL ? strlen(context) : 0))
		return HEARD_NOTHING;
	if (e->level == 0)
		past_set(e, e->clock);
	return HEARD_RESPONSE;
}

uint32_t
snmp_usm_report(const struct message_look *l)
{
	static const uint32_t stats[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1 };
	struct message_reader r = { .p = l->varbinds, .end = l->end };
	struct varbind v;

	if (l->pdu != PDU_REPORT || !message_next(&r, &v) || v.oid_len <= nitems(stats) || memcmp(v.oid, stats, sizeof stats) != 0)
		return 0;
	return v.oid[nitems(stats)];
}
