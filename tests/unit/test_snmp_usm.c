/* tests/unit/test_snmp_usm.c: what the library keeps for the process, kept for each peer: with as many engines as there are, and with
 * two that have one engine ID, its tables hold what is of the peer whose turn it is, and nothing between the turns. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "poller/snmp_usm.h"

enum { ID = 9, PEERS = 200 };

static char user_name[] = "monitor";

struct peer { netsnmp_session session; struct snmp_usm usm; };

static void
peer_make(struct peer *p, uint32_t id, const char *secret, struct snmp_keys **keys)
{
	struct conf_credential c = { .version = SNMP_V3, .user = user_name, .auth = AUTH_SHA256, .auth_secret = strdup(secret),
		.priv = PRIV_AES128, .priv_secret = strdup(secret) };

	memset(p, 0, sizeof *p);
	snmp_sess_init(&p->session);
	assert_null(snmp_usm_template(keys, &p->session, &c));
	p->usm.session = &p->session;
	free(c.auth_secret);
	free(c.priv_secret);
	assert_false(snmp_usm_has_engine(&p->usm));

	/* The discovery, as the library does it: an entry in its table and the ID in the session. */
	snmp_usm_use(&p->usm);
	p->session.securityEngineID = malloc(ID);
	assert_non_null(p->session.securityEngineID);
	memcpy(p->session.securityEngineID, "\x80\x00\x7e\xd9\x04", 5);
	memcpy(p->session.securityEngineID + 5, &id, 4);
	p->session.securityEngineIDLen = ID;
	set_enginetime(p->session.securityEngineID, ID, 0, 0, FALSE);
	snmp_usm_park(&p->usm);
	assert_true(snmp_usm_has_engine(&p->usm));
	assert_true(snmp_usm_user(&p->usm));
}

static bool
in_table(const struct peer *p)
{
	return search_enginetime_list(p->session.securityEngineID, ID) != NULL;
}

/* An authenticated message of the peer with this boots and time. */
static void
heard(struct peer *p, u_int boots, u_int at)
{
	snmp_usm_use(&p->usm);
	assert_int_equal(set_enginetime(p->session.securityEngineID, ID, boots, at, TRUE), SNMPERR_SUCCESS);
	snmp_usm_park(&p->usm);
}

static void
has(struct peer *p, u_int boots, u_int at)
{
	const struct usmUser *all;
	u_int b, t, last;

	snmp_usm_use(&p->usm);
	assert_int_equal(get_enginetime_ex(p->session.securityEngineID, ID, &b, &t, &last, TRUE), SNMPERR_SUCCESS);
	assert_int_equal(b, boots);
	assert_int_equal(last, at);
	assert_in_range(t, at, at + 60);
	assert_ptr_equal(usm_get_user(p->session.securityEngineID, ID, user_name), p->usm.user);
	all = usm_get_userList();
	assert_true(all->next == NULL || all->next->next == NULL);	/* it, and the one of no name that is the library's */
	snmp_usm_park(&p->usm);
	assert_false(in_table(p));
	assert_ptr_not_equal(usm_get_user(p->session.securityEngineID, ID, user_name), p->usm.user);
}

static void
each_peer_has_its_own(void **state)
{
	static struct peer peers[PEERS];	/* several to each of the library's 23 lists */
	struct snmp_keys *keys = NULL;

	(void)state;
	for (uint32_t i = 0; i < PEERS; i++)
		peer_make(&peers[i], i, "a secret of many", &keys);
	for (uint32_t i = 0; i < PEERS; i++)
		heard(&peers[i], i + 1, 1000 * i);
	for (uint32_t i = 0; i < PEERS; i++) {
		has(&peers[i], i + 1, 1000 * i);
		for (uint32_t k = 0; k < PEERS; k++)
			assert_false(in_table(&peers[k]));
	}
	for (uint32_t i = 0; i < PEERS; i += 2)
		snmp_usm_forget(&peers[i].usm);		/* takes nothing of the others */
	for (uint32_t i = 1; i < PEERS; i += 2) {
		has(&peers[i], i + 1, 1000 * i);
		snmp_usm_forget(&peers[i].usm);
	}
	snmp_keys_free(keys);
}

static void
two_of_one_engine_id(void **state)
{
	struct snmp_keys *keys = NULL;
	struct peer a, b;

	(void)state;
	peer_make(&a, 7, "the secret of one", &keys);
	peer_make(&b, 7, "the secret of two", &keys);
	assert_ptr_not_equal(a.usm.user, b.usm.user);
	assert_memory_not_equal(a.usm.user->authKey, b.usm.user->authKey, 32);
	heard(&a, 3, 5000);
	heard(&b, 9, 20);
	for (int i = 0; i < 3; i++) {
		has(&a, 3, 5000);
		has(&b, 9, 20);
	}
	heard(&a, 4, 1);			/* started anew */
	has(&b, 9, 20);
	has(&a, 4, 1);
	snmp_usm_forget(&a.usm);
	assert_false(snmp_usm_has_engine(&a.usm));
	has(&b, 9, 20);
	snmp_usm_forget(&b.usm);
	snmp_keys_free(keys);
}

/* What was only claimed stays marked as such: an authenticated message counts from nought. */
static void
an_unauthenticated_time_is_not_believed(void **state)
{
	struct snmp_keys *keys = NULL;
	u_int boots, at, last;
	struct peer p;

	(void)state;
	peer_make(&p, 1, "a secret of one", &keys);
	snmp_usm_use(&p.usm);
	set_enginetime(p.session.securityEngineID, ID, 77, 88, FALSE);
	snmp_usm_park(&p.usm);
	snmp_usm_use(&p.usm);
	get_enginetime_ex(p.session.securityEngineID, ID, &boots, &at, &last, TRUE);
	assert_int_equal(boots, 0);
	get_enginetime_ex(p.session.securityEngineID, ID, &boots, &at, &last, FALSE);
	assert_int_equal(boots, 77);
	snmp_usm_park(&p.usm);
	snmp_usm_forget(&p.usm);
	snmp_keys_free(keys);
}

/* Names that a datagram came with are not kept, and nobody's time goes with them. */
static void
strangers_are_swept_out(void **state)
{
	uint8_t stranger[ID] = { 0x80, 0, 0x7e, 0xd9, 5 };
	struct snmp_keys *keys = NULL;
	struct peer p;

	(void)state;
	peer_make(&p, 1, "a secret of one", &keys);
	heard(&p, 5, 6);
	for (int i = 0; i < 1000; i++) {
		memcpy(stranger + 5, &i, 4);
		snmp_usm_use(&p.usm);
		assert_false(snmp_usm_is_engine(&p.usm, stranger, ID));
		set_enginetime(stranger, ID, 0, 0, FALSE);
		snmp_usm_park(&p.usm);
		snmp_usm_sweep();
		assert_null(search_enginetime_list(stranger, ID));
	}
	assert_true(snmp_usm_is_engine(&p.usm, p.session.securityEngineID, ID));
	assert_false(snmp_usm_is_engine(&p.usm, p.session.securityEngineID, ID - 1));
	assert_false(snmp_usm_is_engine(&p.usm, NULL, 0));
	has(&p, 5, 6);
	snmp_usm_forget(&p.usm);
	snmp_keys_free(keys);
}

static int
library(void **state)
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
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_peer_has_its_own),
		cmocka_unit_test(two_of_one_engine_id),
		cmocka_unit_test(an_unauthenticated_time_is_not_believed),
		cmocka_unit_test(strangers_are_swept_out),
	};

	return cmocka_run_group_tests(tests, library, NULL);
}
