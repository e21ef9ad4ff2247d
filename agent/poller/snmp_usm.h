/* agent/poller/snmp_usm.h: the SNMPv3 side of a peer: its keys, its engine, its user. Only snmp_ev.c includes it. */
#ifndef CAMTRAPD_SNMP_USM_H
#define CAMTRAPD_SNMP_USM_H
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <stdbool.h>

#include "config/conf.h"

/* Passwords made keys, once per process and password. */
struct snmp_keys;
void		 snmp_keys_free(struct snmp_keys *k);	/* all of them, wiped; NULL is fine */

/* Of a peer. */
struct snmp_usm {
	netsnmp_session	*session;	/* borrowed; NULL: not v3, and nothing is done */
	struct usmUser	*user;		/* ours; NULL until the engine is known */
};

/* Sets what v3 needs in the template of a session. It holds keys then: wipe it. `keys` starts NULL-ed and is the caller's to free.
 * NULL: well; else why not, static. */
const char	*snmp_usm_template(struct snmp_keys **keys, netsnmp_session *t, const struct conf_credential *c);
/* The library works for this peer from _use() to _park(), and for no other: its user is in the library's list only then. */
void		 snmp_usm_use(struct snmp_usm *u);
void		 snmp_usm_park(struct snmp_usm *u);
/* With the engine known: the user with its localised keys, if there is none yet. false: the library refuses. */
bool		 snmp_usm_user(struct snmp_usm *u);
bool		 snmp_usm_has_engine(const struct snmp_usm *u);
/* Engine and user. The next question has to begin with their discovery. */
void		 snmp_usm_forget(struct snmp_usm *u);
#endif
