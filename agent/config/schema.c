/* agent/config/schema.c: the table of all configuration keys, and what can be done with a key without knowing which it is.
 * A new key is one row here, one field in conf.h, and a paragraph in doc/camtrapd.conf.5. */
#include "config/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define C(f)	offsetof(struct conf, f)
#define CR(f)	offsetof(struct conf_credential, f)
#define SI(f)	offsetof(struct conf_site, f)
#define SW(f)	offsetof(struct conf_switch, f)
#define RE(f)	offsetof(struct conf_receiver, f)
#define PR(f)	offsetof(struct policy_rule, f)
#define PS(f)	offsetof(struct policy_set, f)
#define NAME(o)	.name = "name", .kind = K_TEXT, .off = (o), .min = 1, .max = 64, .flags = F_REQUIRED

static const struct key_name version_names[] = { { "1", SNMP_V1 }, { "2c", SNMP_V2C }, { "3", SNMP_V3 }, { NULL, 0 } };
static const struct key_name auth_names[] = {
	{ "none", AUTH_NONE }, { "MD5", AUTH_MD5 }, { "SHA-1", AUTH_SHA1 }, { "SHA-224", AUTH_SHA224 },
	{ "SHA-256", AUTH_SHA256 }, { "SHA-384", AUTH_SHA384 }, { "SHA-512", AUTH_SHA512 }, { NULL, 0 },
};
static const struct key_name priv_names[] = {
	{ "none", PRIV_NONE }, { "DES", PRIV_DES }, { "AES-128", PRIV_AES128 }, { "AES-192", PRIV_AES192 },
	{ "AES-256", PRIV_AES256 }, { "AES-192-C", PRIV_AES192C }, { "AES-256-C", PRIV_AES256C }, { NULL, 0 },
};
static const struct key_name sensitivity_names[] = { { "standard", false }, { "sensitive", true }, { NULL, 0 } };
static const struct key_name receiver_names[] = { { "snmp", RECEIVER_SNMP }, { NULL, 0 } };
static const struct key_name basis_names[] = {
	{ "statute", BASIS_STATUTE }, { "criterion", BASIS_CRITERION }, { "operator", BASIS_OPERATOR }, { NULL, 0 },
};

#define PE	(R_POLLER | R_ENGINE)
#define CRED	(R_POLLER | R_ENGINE | R_NOTIFY)
#define KEYS	(R_POLLER | R_NOTIFY)	/* who may have a secret */

static const struct conf_key agent_keys[] = {
	{ .name = "name", .kind = K_TEXT, .off = C(name), .dflt = "camtrapd", .min = 1, .max = 64, .roles = R_ALL, .help = "this agent's name in notifications" },
	{ .name = "state_dir", .kind = K_TEXT, .off = C(state_dir), .dflt = "/var/lib/camtrapd", .min = 1, .max = 255, .flags = F_ABSOLUTE,
	  .roles = R_ENGINE | R_VIEWS, .help = "folder of the database" },
	{ .name = "run_dir", .kind = K_TEXT, .off = C(run_dir), .dflt = "/run/camtrapd", .min = 1, .max = 90, .flags = F_ABSOLUTE,
	  .roles = R_ENGINE | R_VIEWS, .help = "folder of the control socket" },
	{ .name = "pollers", .kind = K_UINT, .off = C(pollers), .dflt = "2", .min = 1, .max = 16, .unit = "processes", .roles = PE, .help = "polling processes" },
	{ .name = "mib_root", .kind = K_TEXT, .off = C(mib_root), .dflt = "1.3.6.1.4.1.8072.9999.9999.7162", .min = 3, .max = 255, .flags = F_OID,
	  .roles = R_ENGINE | R_NOTIFY, .help = "object identifier below which CAMTRAPD-MIB is placed" },
	{ .name = "heartbeat", .kind = K_DURATION, .off = C(heartbeat_s), .dflt = "300s", .min = 10, .max = 86400, .roles = R_ENGINE, .help = "time between heartbeat notifications" },
	{ .name = "retention", .kind = K_DURATION, .off = C(retention_s), .dflt = "400d", .min = 86400, .max = 3650u * 86400u, .roles = R_ENGINE, .help = "how long history is kept" },
	{ .name = "max_stations", .kind = K_UINT, .off = C(max_stations), .dflt = "2000000", .min = 1000, .max = 20000000, .unit = "stations", .roles = R_ENGINE, .help = "stations kept in all" },
	{ .name = "registry", .kind = K_FILES, .off = C(registry), .dflt = "/usr/share/ieee-data/oui.csv /usr/share/wireshark/manuf", .max = 16, .roles = R_ENGINE, .help = "files of MAC blocks and makers" },
	{ 0 }
};

#define CREDENTIAL_V3 \
	{ .name = "user", .kind = K_TEXT, .off = CR(user), .min = 1, .max = 32, .roles = CRED, .help = "SNMPv3 user" }, \
	{ .name = "auth", .kind = K_ENUM, .off = CR(auth), .dflt = "none", .names = auth_names, .roles = CRED, .help = "authentication protocol" }, \
	{ .name = "auth_secret", .kind = K_TEXT, .off = CR(auth_secret), .min = 8, .max = 255, .flags = F_SECRET, .roles = KEYS, .help = "authentication passphrase" }, \
	{ .name = "auth_secret_file", .kind = K_FILE, .off = CR(auth_secret_file), .min = 1, .max = 4095, .roles = R_ENGINE, .help = "file whose first line is the authentication passphrase" }, \
	{ .name = "priv", .kind = K_ENUM, .off = CR(priv), .dflt = "none", .names = priv_names, .roles = CRED, .help = "privacy protocol" }, \
	{ .name = "priv_secret", .kind = K_TEXT, .off = CR(priv_secret), .min = 8, .max = 255, .flags = F_SECRET, .roles = KEYS, .help = "privacy passphrase" }, \
	{ .name = "priv_secret_file", .kind = K_FILE, .off = CR(priv_secret_file), .min = 1, .max = 4095, .roles = R_ENGINE, .help = "file whose first line is the privacy passphrase" }, \
	{ .name = "allow_weak", .kind = K_BOOL, .off = CR(allow_weak), .dflt = "false", .roles = CRED, .help = "permit MD5 and DES" }

static const struct conf_key credential_keys[] = {
	{ NAME(CR(name)), .roles = CRED, .help = "what switches and receivers call it" },
	{ .name = "version", .kind = K_ENUM, .off = CR(version), .names = version_names, .flags = F_REQUIRED, .roles = CRED, .help = "SNMP version" },
	{ .name = "community", .kind = K_TEXT, .off = CR(community), .min = 1, .max = 255, .flags = F_SECRET, .roles = KEYS, .help = "community; versions 1 and 2c" },
	{ .name = "community_file", .kind = K_FILE, .off = CR(community_file), .min = 1, .max = 4095, .roles = R_ENGINE, .help = "file whose first line is the community" },
	CREDENTIAL_V3,
	{ .name = "context_prefix", .kind = K_TEXT, .off = CR(context_prefix), .dflt = "vlan-", .max = 24, .roles = CRED, .help = "put before a VLAN's number to name its context" },
	{ 0 }
};

static const struct conf_key trap_user_keys[] = {
	{ NAME(CR(name)), .roles = R_ENGINE, .help = "name for people" },
	CREDENTIAL_V3,
	{ 0 }
};

#define EV	(R_ENGINE | R_VIEWS)
static const struct conf_key site_keys[] = {
	{ NAME(SI(name)), .roles = EV, .help = "what switches call it" },
	{ .name = "sensitivity", .kind = K_ENUM, .off = SI(sensitive), .dflt = "standard", .names = sensitivity_names, .roles = EV, .help = "sensitive or standard" },
	{ .name = "core_vlans", .kind = K_VLANS, .off = SI(core_vlans), .off2 = SI(n_core_vlans), .dflt = "", .min = 1, .max = 4094, .roles = EV, .help = "VLANs of the core network" },
	{ .name = "page_existing", .kind = K_BOOL, .off = SI(page_existing), .roles = EV, .help = "notify one by one of what hangs there at the baseline; default: sensitive sites yes" },
	{ 0 }
};

static const struct conf_key switch_keys[] = {
	{ NAME(SW(name)), .roles = PE, .help = "its name" },
	{ .name = "address", .kind = K_ADDRESS, .off = SW(address), .min = 161, .flags = F_REQUIRED, .roles = PE, .help = "literal address, with a port if it is not 161" },
	{ .name = "site", .kind = K_TEXT, .off = SW(site), .max = 64, .flags = F_INHERIT, .roles = PE, .help = "one of sites" },
	{ .name = "location", .kind = K_TEXT, .off = SW(location), .max = 255, .roles = PE, .help = "where it hangs; for people" },
	{ .name = "credentials", .kind = K_TEXTS, .off = SW(credentials), .dflt = "", .min = 1, .max = 8, .flags = F_INHERIT, .roles = PE, .help = "tried in order" },
	{ .name = "credential", .kind = K_ONE, .off = SW(credentials), .min = 1, .max = 64, .flags = F_INHERIT | F_HIDDEN, .help = "short for credentials with one name" },
	{ .name = "poll_interval", .kind = K_DURATION, .off = SW(poll_interval_s), .dflt = "300s", .min = 1, .max = 86400, .flags = F_INHERIT, .roles = PE, .help = "time between full polls" },
	{ .name = "pulse_interval", .kind = K_DURATION, .off = SW(pulse_interval_s), .dflt = "15s", .min = 1, .max = 3600, .flags = F_INHERIT | F_NOT_YET, .roles = PE, .help = "time between looks at the port states" },
	{ .name = "uplinks", .kind = K_TEXTS, .off = SW(uplinks), .dflt = "", .max = 256, .roles = PE, .help = "ports that lead to other switches" },
	{ .name = "access_ports", .kind = K_TEXTS, .off = SW(access_ports), .dflt = "", .max = 1024, .roles = PE, .help = "ports that never are uplinks" },
	{ .name = "reply_from", .kind = K_IPS, .off = SW(reply_from), .off2 = SW(n_reply_from), .dflt = "", .max = 16, .roles = PE, .help = "other addresses it may answer from" },
	{ .name = "max_in_flight", .kind = K_UINT, .off = SW(max_in_flight), .dflt = "1", .min = 1, .max = 4, .unit = "requests", .flags = F_INHERIT | F_NOT_YET, .roles = PE, .help = "requests in flight at once" },
	{ .name = "max_rows", .kind = K_UINT, .off = SW(max_rows), .dflt = "262144", .min = 100, .max = 2000000, .unit = "rows", .flags = F_INHERIT, .roles = PE, .help = "rows of one table before a walk is given up" },
	{ 0 }
};

static const struct conf_key top_keys[] = {
	{ .name = "inventory", .kind = K_FILES, .off = C(inventory), .dflt = "", .max = 1024, .flags = F_EMPTY, .roles = R_ENGINE, .help = "CSV files with more switches" },
	{ .name = "policy", .kind = K_FILES, .off = C(policy_files), .dflt = "", .max = 256, .roles = R_ENGINE, .help = "files of restricted makers" },
	{ 0 }
};

#define EN	(R_ENGINE | R_NOTIFY)
static const struct conf_key receiver_keys[] = {
	{ NAME(RE(name)), .roles = EN, .help = "its name" },
	{ .name = "type", .kind = K_ENUM, .off = RE(type), .dflt = "snmp", .names = receiver_names, .roles = EN, .help = "how it is told" },
	{ .name = "address", .kind = K_HOST, .off = RE(host), .off2 = RE(port), .min = 162, .max = 253, .flags = F_REQUIRED, .roles = EN, .help = "name or address, with a port if it is not 162" },
	{ .name = "credential", .kind = K_TEXT, .off = RE(credential), .min = 1, .max = 64, .flags = F_REQUIRED, .roles = EN, .help = "one of credentials" },
	{ .name = "inform", .kind = K_BOOL, .off = RE(inform), .dflt = "true", .roles = EN, .help = "ask for an acknowledgement" },
	{ .name = "source_address", .kind = K_IP, .off = RE(source_address), .roles = EN, .help = "address to send from" },
	{ 0 }
};

static const struct conf_key listen_keys[] = {
	{ .name = "syslog_udp", .kind = K_LISTEN, .off = C(syslog_udp), .dflt = "", .max = 16, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "syslog over UDP" },
	{ .name = "syslog_tcp", .kind = K_LISTEN, .off = C(syslog_tcp), .dflt = "", .max = 16, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "syslog over TCP" },
	{ .name = "syslog_tls", .kind = K_LISTEN, .off = C(syslog_tls), .dflt = "", .max = 16, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "syslog over TLS" },
	{ .name = "traps", .kind = K_LISTEN, .off = C(traps), .dflt = "", .max = 16, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "SNMP notifications" },
	{ .name = "http", .kind = K_LISTEN, .off = C(http), .dflt = "127.0.0.1:8162", .max = 16, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "web page, API and metrics" },
	{ .name = "agentx", .kind = K_TEXT, .off = C(agentx), .dflt = "", .max = 255, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "socket of the AgentX master; empty: none" },
	{ 0 }
};

static const struct conf_key source_keys[] = {
	{ .name = "relays", .kind = K_NETS, .off = C(relays), .dflt = "", .max = 1024, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "syslog relays, whose HOSTNAME field is believed" },
	{ .name = "trap_forwarders", .kind = K_NETS, .off = C(trap_forwarders), .dflt = "", .max = 1024, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "trap forwarders, whose snmpTrapAddress is believed" },
	{ .name = "trusted", .kind = K_NETS, .off = C(trusted), .dflt = "", .max = 1024, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "sources beyond the switches themselves" },
	{ .name = "patterns", .kind = K_FILES, .off = C(patterns), .dflt = "", .max = 256, .flags = F_NOT_YET, .roles = R_ENGINE, .help = "files of syslog patterns" },
	{ 0 }
};

const struct conf_key policy_keys[] = {
	{ NAME(PS(name)) },
	{ .name = "title", .kind = K_TEXT, .off = PS(title), .min = 1, .max = 255, .flags = F_REQUIRED },
	{ .name = "dated", .kind = K_TEXT, .off = PS(dated), .min = 1, .max = 32, .flags = F_REQUIRED },
	{ 0 }
};

const struct conf_key rule_keys[] = {
	{ .name = "vendor", .kind = K_TEXT, .off = PR(vendor), .min = 1, .max = 48, .flags = F_REQUIRED },
	{ .name = "organisation", .kind = K_MATCH, .off = PR(match), .off2 = PR(kind), .min = RULE_ORGANISATION, .max = 255 },
	{ .name = "text", .kind = K_MATCH, .off = PR(match), .off2 = PR(kind), .min = RULE_TEXT, .max = 255 },
	{ .name = "prefix", .kind = K_MATCH, .off = PR(match), .off2 = PR(kind), .min = RULE_PREFIX, .max = 255 },
	{ .name = "basis", .kind = K_ENUM, .off = PR(basis), .names = basis_names, .flags = F_REQUIRED },
	{ .name = "source", .kind = K_TEXT, .off = PR(source), .min = 1, .max = 1023, .flags = F_REQUIRED },
	{ .name = "dated", .kind = K_TEXT, .off = PR(dated), .min = 1, .max = 32, .flags = F_REQUIRED },
	{ .name = "cameras", .kind = K_BOOL, .off = PR(cameras), .dflt = "false" },
	{ 0 }
};

static void
trap_user_preset(void *element)
{
	((struct conf_credential *)element)->version = SNMP_V3;
}

static void
switch_preset(void *element)
{
	struct conf_switch *s = element;

	if (s->name != NULL)
		s->key = hash_bytes(s->name, strlen(s->name));
}

const struct conf_group conf_groups[G_N] = {
	[G_AGENT]	= { .name = "agent", .roles = R_ALL, .keys = agent_keys },
	[G_CREDENTIALS]	= { "credentials", "credential", sizeof(struct conf_credential), C(credentials), C(n_credentials), CRED, 0, credential_keys, NULL },
	[G_TRAP_USERS]	= { "trap_users", "trap user", sizeof(struct conf_credential), C(trap_users), C(n_trap_users), R_ENGINE, F_NOT_YET, trap_user_keys,
		    trap_user_preset },
	[G_SITES]	= { "sites", "site", sizeof(struct conf_site), C(sites), C(n_sites), EV, 0, site_keys, NULL },
	[G_SWITCHES]	= { "switches", "switch", sizeof(struct conf_switch), C(switches), C(n_switches), PE, 0, switch_keys, switch_preset },
	[G_TOP]		= { .name = "", .roles = R_ENGINE, .keys = top_keys },
	[G_RECEIVERS]	= { "receivers", "receiver", sizeof(struct conf_receiver), C(receivers), C(n_receivers), EN, 0, receiver_keys, NULL },
	[G_LISTEN]	= { .name = "listen", .roles = R_ENGINE, .keys = listen_keys },
	[G_SOURCES]	= { .name = "sources", .roles = R_ENGINE, .keys = source_keys },
};

const struct conf_key *
key_find(const struct conf_key *keys, const char *name)
{
	for (; keys->name != NULL; keys++) {
		if (strcmp(keys->name, name) == 0)
			return keys;
	}
	return NULL;
}

/* A site's sensitivity is an enumeration to the operator and a bool to us. */
unsigned
key_enum_get(const struct conf_key *k, const void *obj)
{
	unsigned v;

	if (k->names == sensitivity_names)
		return *(const bool *)((const char *)obj + k->off);
	memcpy(&v, (const char *)obj + k->off, sizeof v);
	return v;
}

void
key_enum_set(const struct conf_key *k, void *obj, unsigned v)
{
	assert(key_enum_text(k, v) != NULL);
	if (k->names == sensitivity_names)
		*(bool *)((char *)obj + k->off) = v != 0;
	else
		memcpy((char *)obj + k->off, &v, sizeof v);
}

const char *
key_enum_text(const struct conf_key *k, unsigned v)
{
	for (const struct key_name *n = k->names; n->text != NULL; n++) {
		if (n->value == v)
			return n->text;
	}
	return NULL;
}

void
key_free(const struct conf_key *k, void *obj)
{
	char *at = (char *)obj + k->off;

	switch (k->kind) {
	case K_TEXT: case K_FILE: case K_HOST: case K_MATCH: case K_IPS: case K_VLANS:
		if ((k->flags & F_SECRET) && *(char **)at != NULL)
			explicit_bzero(*(char **)at, strlen(*(char **)at));
		free(*(void **)at);
		*(void **)at = NULL;
		if (k->kind == K_IPS || k->kind == K_VLANS)
			*(size_t *)((char *)obj + k->off2) = 0;
		break;
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS: case K_ONE:
		strlist_free((struct strlist *)at);
		break;
	case K_UINT: case K_DURATION: case K_BOOL: case K_ENUM: case K_ADDRESS: case K_IP:
		break;
	}
}

void
keys_free(const struct conf_key *keys, void *obj)
{
	for (; keys->name != NULL; keys++)
		key_free(keys, obj);
}

void *
group_element(const struct conf_group *g, const struct conf *c, size_t i)
{
	char *array;

	if (g->what == NULL)
		return (char *)(uintptr_t)c;
	array = *(char **)((char *)(uintptr_t)c + g->off);
	assert(i == 0 || i < group_count(g, c));
	return array == NULL ? NULL : array + i * g->size;
}

size_t
group_count(const struct conf_group *g, const struct conf *c)
{
	return g->what == NULL ? 1 : *(const size_t *)((const char *)c + g->off_n);
}

int
strlist_add(struct strlist *l, const char *s, size_t n)
{
	char **v, *copy;

	assert(s != NULL && (l->v != NULL || l->n == 0));
	/* A power of two means full: the list needs no capacity of its own. */
	if ((l->n & (l->n - 1)) == 0) {
		if ((v = realloc(l->v, (l->n == 0 ? 1 : 2 * l->n) * sizeof *v)) == NULL)
			return -ENOMEM;
		l->v = v;
	}
	if ((copy = malloc(n + 1)) == NULL)
		return -ENOMEM;
	memcpy(copy, s, n);
	copy[n] = '\0';
	l->v[l->n++] = copy;
	return 0;
}

void
strlist_free(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strlist){ 0 };
}

void
conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	for (size_t g = 0; g < G_N; g++) {
		const struct conf_group *gr = &conf_groups[g];

		for (size_t i = 0; i < group_count(gr, c); i++)
			keys_free(gr->keys, group_element(gr, c, i));
		if (gr->what != NULL)
			free(group_element(gr, c, 0));
	}
	free(c->by_key);
	policies_free(&c->policies);
	strlist_free(&c->warnings);
	free(c->path);
	free(c);
}

static const void *
find(const struct conf *c, enum conf_group_id id, const char *name)
{
	const struct conf_group *g = &conf_groups[id];

	for (size_t i = 0; name != NULL && i < group_count(g, c); i++) {
		void *e = group_element(g, c, i);

		if (str_eq(*(char **)((char *)e + g->keys[0].off), name))	/* "name" is the first key of every list */
			return e;
	}
	return NULL;
}

const struct conf_credential *
conf_credential(const struct conf *c, const char *name)
{
	return find(c, G_CREDENTIALS, name);
}

const char *
conf_version_text(enum snmp_version v)
{
	for (const struct key_name *n = version_names; n->text != NULL; n++)
		if (n->value == (unsigned)v)
			return n->text;
	return "?";
}

static bool
is_well_known(const char *community)
{
	static const char *const words[] = { "public", "private", "community", "snmp", "cisco", "admin", "secret", "write", "read" };

	for (size_t i = 0; community != NULL && i < nitems(words); i++)
		if (strcasecmp(community, words[i]) == 0)
			return true;
	return false;
}

unsigned
conf_weaknesses(const struct conf_credential *c)
{
	if (c->version != SNMP_V3)
		return WEAK_VERSION | (is_well_known(c->community) ? WEAK_COMMUNITY : 0);	/* it has nothing else */
	return (c->auth == AUTH_NONE ? WEAK_NO_AUTH : 0) | (c->auth == AUTH_MD5 ? WEAK_MD5 : 0) | (c->priv == PRIV_NONE ? WEAK_NO_PRIV : 0) |
	    (c->priv == PRIV_DES ? WEAK_DES : 0);
}

const char *
conf_weakness(const struct conf_credential *c)
{
	static const struct { unsigned is; const char *text; } words[] = { { WEAK_NO_AUTH, "no authentication" }, { WEAK_MD5, "MD5" },
		{ WEAK_NO_PRIV, "no privacy" }, { WEAK_DES, "DES" } };
	unsigned weak = conf_weaknesses(c);

	if (weak & WEAK_VERSION)
		return c->version == SNMP_V1 ? "version 1" : "version 2c";
	for (size_t i = 0; i < nitems(words); i++)
		if (weak & words[i].is)
			return words[i].text;
	return NULL;
}

const struct conf_site *
conf_site(const struct conf *c, const char *name)
{
	return find(c, G_SITES, name);
}

static int
by_key(const void *a, const void *b, void *arg)
{
	const struct conf_switch *switches = arg;
	uint64_t x = switches[*(const size_t *)a].key, y = switches[*(const size_t *)b].key;

	return x < y ? -1 : x > y;
}

int
conf_index(struct conf *c)
{
	assert(c->by_key == NULL);
	if (c->n_switches == 0)
		return 0;
	if ((c->by_key = calloc(c->n_switches, sizeof *c->by_key)) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_switches; i++)
		c->by_key[i] = i;
	qsort_r(c->by_key, c->n_switches, sizeof *c->by_key, by_key, c->switches);
	return 0;
}

const struct conf_switch *
conf_switch(const struct conf *c, const char *name)
{
	size_t low = 0, high = c->n_switches;
	uint64_t key;

	if (c->by_key == NULL || name == NULL)
		return find(c, G_SWITCHES, name);
	key = hash_bytes(name, strlen(name));
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->switches[c->by_key[middle]].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	/* Two names with the same key were refused by check_twice(). */
	return low < c->n_switches && str_eq(c->switches[c->by_key[low]].name, name) ? &c->switches[c->by_key[low]] : NULL;
}
