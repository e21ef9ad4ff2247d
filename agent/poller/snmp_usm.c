/* agent/poller/snmp_usm.c: keys, engines and users of SNMPv3 (RFC 3414). The library keeps users and engines in lists of the
 * process, which it searches from the start; here each peer keeps its own. */
#include "poller/snmp_usm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct snmp_keys {			/* RFC 3414 A.2 */
	struct snmp_keys	*next;
	enum snmp_auth		 auth;
	char			*secret;
	u_char			 key[USM_AUTH_KU_LEN];
	size_t			 len;
};

static void
key_free(struct snmp_keys *k)
{
	if (k->secret != NULL)
		explicit_bzero(k->secret, strlen(k->secret));
	free(k->secret);
	explicit_bzero(k, sizeof *k);
	free(k);
}

void
snmp_keys_free(struct snmp_keys *k)
{
	for (struct snmp_keys *next; k != NULL; k = next) {
		next = k->next;
		key_free(k);
	}
}

static const struct snmp_keys *
key_of(struct snmp_keys **keys, enum snmp_auth auth, const oid *proto, size_t proto_len, const char *secret)
{
	struct snmp_keys *k;

	for (k = *keys; k != NULL; k = k->next)
		if (k->auth == auth && strcmp(k->secret, secret) == 0)
			return k;
	if ((k = calloc(1, sizeof *k)) == NULL)
		return NULL;
	k->auth = auth;
	k->len = sizeof k->key;
	if ((k->secret = strdup(secret)) == NULL ||
	    generate_Ku(proto, (u_int)proto_len, (const u_char *)secret, strlen(secret), k->key, &k->len) != SNMPERR_SUCCESS) {
		key_free(k);
		return NULL;
	}
	k->next = *keys;
	*keys = k;
	return k;
}

const char *
snmp_usm_template(struct snmp_keys **keys, netsnmp_session *t, const struct conf_credential *c)
{
	static const int auths[] = { [AUTH_MD5] = NETSNMP_USMAUTH_HMACMD5, [AUTH_SHA1] = NETSNMP_USMAUTH_HMACSHA1,
		[AUTH_SHA224] = NETSNMP_USMAUTH_HMAC128SHA224, [AUTH_SHA256] = NETSNMP_USMAUTH_HMAC192SHA256,
		[AUTH_SHA384] = NETSNMP_USMAUTH_HMAC256SHA384, [AUTH_SHA512] = NETSNMP_USMAUTH_HMAC384SHA512 };
	static const int privs[] = { [PRIV_DES] = USM_CREATE_USER_PRIV_DES, [PRIV_AES128] = USM_CREATE_USER_PRIV_AES,
		[PRIV_AES192] = USM_CREATE_USER_PRIV_AES192, [PRIV_AES256] = USM_CREATE_USER_PRIV_AES256,
		[PRIV_AES192C] = USM_CREATE_USER_PRIV_AES192_CISCO, [PRIV_AES256C] = USM_CREATE_USER_PRIV_AES256_CISCO };
	const struct snmp_keys *k;

	static_assert(sizeof k->key <= sizeof t->securityAuthKey && sizeof k->key <= sizeof t->securityPrivKey, "a key fits");
	t->version = SNMP_VERSION_3;
	t->securityModel = SNMP_SEC_MODEL_USM;
	t->securityName = c->user;
	t->securityNameLen = strlen(c->user);
	t->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	if (c->auth == AUTH_NONE)
		return c->priv == PRIV_NONE ? NULL : "privacy without authentication";
	t->securityLevel = SNMP_SEC_LEVEL_AUTHNOPRIV;
	t->securityAuthProto = sc_get_auth_oid(auths[c->auth], &t->securityAuthProtoLen);
	if (t->securityAuthProto == NULL)
		return "authentication protocol not in this Net-SNMP";
	if (c->auth_secret == NULL || strlen(c->auth_secret) < USM_LENGTH_P_MIN)
		return "authentication secret refused (at least 8 octets)";
	if ((k = key_of(keys, c->auth, t->securityAuthProto, t->securityAuthProtoLen, c->auth_secret)) == NULL)
		return "";
	memcpy(t->securityAuthKey, k->key, k->len);
	t->securityAuthKeyLen = k->len;
	if (c->priv == PRIV_NONE)
		return NULL;
	t->securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
	t->securityPrivProto = sc_get_priv_oid(privs[c->priv], &t->securityPrivProtoLen);
	if (t->securityPrivProto == NULL)
		return "privacy protocol not in this Net-SNMP";
	if (c->priv_secret == NULL || strlen(c->priv_secret) < USM_LENGTH_P_MIN)
		return "privacy secret refused (at least 8 octets)";
	if ((k = key_of(keys, c->auth, t->securityAuthProto, t->securityAuthProtoLen, c->priv_secret)) == NULL)
		return "";
	memcpy(t->securityPrivKey, k->key, k->len);
	t->securityPrivKeyLen = k->len;
	return NULL;
}

/* ---- the library's tables. Users: one list, searched from its start by each message. Engines: 23 lists, chosen by an MD5 of the
 * ID. Neither is longer than one here: a user is linked for its own calls, and of each list of engines there is one entry, lent
 * to the engine whose turn it is; between the turns it has an ID of no octets, which is nobody's. */

static Enginetime lent[ETIMELIST_SIZE];

static void
entry_blank(Enginetime e)
{
	e->engineID = NULL;		/* it was the session's */
	e->engineID_len = 0;
}

static Enginetime
entry_of(const struct snmp_usm *u)
{
	Enginetime *e = &lent[u->list];

	if (*e == NULL) {
		set_enginetime(u->session->securityEngineID, (u_int)u->session->securityEngineIDLen, 0, 0, FALSE);
		*e = search_enginetime_list(u->session->securityEngineID, (u_int)u->session->securityEngineIDLen);
		if (*e != NULL) {
			free((*e)->engineID);
			entry_blank(*e);
		}
	}
	return *e;
}

static void
clock_lend(const struct snmp_usm *u)
{
	Enginetime e = entry_of(u);

	if (e == NULL)
		return;
	e->engineID = u->session->securityEngineID;
	e->engineID_len = (u_int)u->session->securityEngineIDLen;
	e->engineBoot = u->clock.boots;
	e->engineTime = u->clock.time;
	e->lastReceivedEngineTime = u->clock.heard;
	e->authenticatedFlag = u->clock.authentic;
}

static void
clock_read(struct snmp_usm *u, const struct enginetime_struct *e)
{
	u->clock = (struct snmp_engine_clock){ e->engineBoot, e->engineTime, e->lastReceivedEngineTime, e->authenticatedFlag };
}

static void
clock_take(struct snmp_usm *u)
{
	Enginetime e = lent[u->list];

	if (e == NULL)
		return;
	clock_read(u, e);
	entry_blank(e);
}

/* The engine was found during this turn: the library has made an entry of its own. */
static void
clock_found(struct snmp_usm *u)
{
	Enginetime e = search_enginetime_list(u->session->securityEngineID, (u_int)u->session->securityEngineIDLen);

	u->clock = (struct snmp_engine_clock){ 0 };
	if (e != NULL)
		clock_read(u, e);
	u->list = hash_engineID(u->session->securityEngineID, (u_int)u->session->securityEngineIDLen);
	u->clocked = u->list >= 0 && u->list < ETIMELIST_SIZE;
	snmp_usm_sweep();
}

void
snmp_usm_sweep(void)
{
	free_etimelist();
	memset(lent, 0, sizeof lent);
}

static void
user_unlink(struct snmp_usm *u)
{
	usm_remove_user(u->user);
	u->user->next = u->user->prev = NULL;
}

void
snmp_usm_use(struct snmp_usm *u)
{
	if (u->user != NULL)
		usm_add_user(u->user);
	if (u->clocked)
		clock_lend(u);
}

void
snmp_usm_park(struct snmp_usm *u)
{
	if (u->user != NULL)
		user_unlink(u);
	if (u->clocked)
		clock_take(u);
	else if (snmp_usm_has_engine(u))
		clock_found(u);
}

bool
snmp_usm_user(struct snmp_usm *u)
{
	netsnmp_session *ss = u->session;

	if (ss == NULL || u->user != NULL)
		return true;
	ss->flags &= ~(u_long)SNMP_FLAGS_USER_CREATED;
	if (usm_create_user_from_session(ss) != SNMPERR_SUCCESS)
		return false;
	u->user = usm_get_user(ss->securityEngineID, ss->securityEngineIDLen, ss->securityName);
	if (u->user != NULL)
		user_unlink(u);
	return u->user != NULL;
}

bool
snmp_usm_has_engine(const struct snmp_usm *u)
{
	return u->session != NULL && u->session->securityEngineIDLen > 0;
}

bool
snmp_usm_is_engine(const struct snmp_usm *u, const uint8_t *id, size_t n)
{
	return snmp_usm_has_engine(u) && id != NULL && n == u->session->securityEngineIDLen && memcmp(id, u->session->securityEngineID, n) == 0;
}

void
snmp_usm_forget(struct snmp_usm *u)
{
	netsnmp_session *ss = u->session;

	if (ss == NULL)
		return;
	u->clocked = false;
	free(ss->securityEngineID);
	free(ss->contextEngineID);
	ss->securityEngineID = ss->contextEngineID = NULL;
	ss->securityEngineIDLen = ss->contextEngineIDLen = 0;
	ss->engineBoots = ss->engineTime = 0;
	ss->flags &= ~(u_long)SNMP_FLAGS_USER_CREATED;
	if (u->user != NULL)
		usm_free_user(u->user);
	u->user = NULL;
}
