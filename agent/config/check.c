/* agent/config/check.c: what holds between keys: duplicates, references, the rules of credentials, and secrets from files. */
#include "config/load.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

static struct where
where_is(struct loader *l, enum conf_group_id id, size_t i, const char *key)
{
	const struct conf_group *g = &conf_groups[id];
	const struct written *o = &l->origins[id][i];
	struct where w = { .l = l, .file = o->file, .line = o->line, .what = g->what, .index = i, .key = key };

	assert(i < group_count(g, l->c) && o->line != 0);
	w.name = *(char **)((char *)group_element(g, l->c, i) + g->keys[0].off);
	if (key != NULL && o->key_line[key_find(g->keys, key) - g->keys] != 0)
		w.line = o->key_line[key_find(g->keys, key) - g->keys];
	return w;
}

static bool
is_said(struct loader *l, enum conf_group_id id, size_t i, const char *key)
{
	const struct conf_key *k = key_find(conf_groups[id].keys, key);

	assert(k != NULL && i < group_count(&conf_groups[id], l->c));
	return l->origins[id][i].key_line[k - conf_groups[id].keys] != 0;
}

/* ---- twice the same ---- */

struct hashed { uint64_t hash; size_t i; };

static int
by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->i < y->i ? -1 : 1;
}

static const char *
name_of(struct loader *l, enum conf_group_id id, size_t i)
{
	return *(char **)((char *)group_element(&conf_groups[id], l->c, i) + conf_groups[id].keys[0].off);
}

/* by_address: the same switch twice under two names; else the same name. */
static void
check_twice(struct loader *l, enum conf_group_id id, bool by_address)
{
	size_t n = group_count(&conf_groups[id], l->c), used = 0;
	struct hashed *h = calloc(n + 1, sizeof *h);

	if (h == NULL) {
		l->oom = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = name_of(l, id, i);

		if (by_address && l->c->switches[i].address.ip.family != 0) {
			const struct ip_port *a = &l->c->switches[i].address;

			h[used++] = (struct hashed){ hash_bytes(a->ip.b, sizeof a->ip.b) ^ ((uint64_t)a->port << 8 | a->ip.family), i };
		} else if (!by_address && name != NULL) {
			h[used++] = (struct hashed){ hash_bytes(name, strlen(name)), i };
		}
	}
	qsort(h, used, sizeof *h, by_hash);
	for (size_t i = 1, first = 0; i < used; i++) {
		struct where w, before;

		if (h[i].hash != h[first].hash) {
			first = i;
			continue;
		}
		w = where_is(l, id, h[i].i, NULL);
		before = where_is(l, id, h[first].i, NULL);
		if (by_address)
			warning(&w, "has the address of switch \"%s\", %s:%u", before.name != NULL ? before.name : "?", before.file, before.line);
		else if (str_eq(w.name, before.name))
			mistake(&w, "defined twice; first at %s:%u", before.file, before.line);
		else if (id == G_SWITCHES)
			mistake(&w, "by bad luck this name has the same key as \"%s\" (%s:%u); change one of them", before.name, before.file, before.line);
	}
	free(h);
}

/* ---- references ---- */

static const char *
hint_of(struct loader *l, enum conf_group_id id, const char *have, char *out, size_t size)
{
	size_t n = group_count(&conf_groups[id], l->c), used = 0;
	const char **names = calloc(n + 1, sizeof *names);

	out[0] = '\0';
	if (names == NULL)
		return out;
	for (size_t i = 0; i < n; i++) {
		if (name_of(l, id, i) != NULL)
			names[used++] = name_of(l, id, i);
	}
	hint(out, size, have, names, used);
	free(names);
	return out;
}

static void
check_switches(struct loader *l)
{
	const struct conf_key *keys = conf_groups[G_SWITCHES].keys;
	unsigned short_line = l->defaults_origin.key_line[key_find(keys, "credential") - keys];
	char near[128];

	if (short_line != 0 && l->defaults_origin.key_line[key_find(keys, "credentials") - keys] != 0) {
		struct where w = { .l = l, .file = l->single.file, .line = short_line, .what = "switch_defaults", .index = SIZE_MAX, .key = "credential" };

		mistake(&w, "and credentials are both given; keep one of them");
	}
	for (size_t i = 0; i < l->c->n_switches; i++) {
		const struct conf_switch *s = &l->c->switches[i];
		bool one = is_said(l, G_SWITCHES, i, "credential");
		struct where w = where_is(l, G_SWITCHES, i, one ? "credential" : "credentials");

		if (s->credentials.n == 0 && !is_said(l, G_SWITCHES, i, "credentials") && !one) {
			w.key = NULL;
			mistake(&w, "has no credentials, nor has switch_defaults");
		} else if (s->credentials.n == 0 && !one) {
			mistake(&w, "is empty");
		}
		if (one && is_said(l, G_SWITCHES, i, "credentials"))
			mistake(&w, "and credentials are both given; keep one of them");
		for (size_t j = 0; j < s->credentials.n; j++) {
			if (conf_credential(l->c, s->credentials.v[j]) == NULL)
				mistake(&w, "\"%s\" is not one of credentials%s", s->credentials.v[j],
				    hint_of(l, G_CREDENTIALS, s->credentials.v[j], near, sizeof near));
		}
		w = where_is(l, G_SWITCHES, i, "site");
		if (s->site != NULL && conf_site(l->c, s->site) == NULL)
			mistake(&w, "\"%s\" is not one of sites%s", s->site, hint_of(l, G_SITES, s->site, near, sizeof near));
	}
}

static void
check_receivers(struct loader *l)
{
	char near[128];

	for (size_t i = 0; i < l->c->n_receivers; i++) {
		struct conf_receiver *r = &l->c->receivers[i];
		struct where w = where_is(l, G_RECEIVERS, i, "source_address");
		const struct conf_credential *cr;
		struct ip to;

		if (r->host != NULL && r->source_address.family != 0 && ip_parse(r->host, &to) == 0 && to.family != r->source_address.family)
			mistake(&w, "is not of the same family as address");
		w = where_is(l, G_RECEIVERS, i, "credential");
		if (r->credential == NULL)
			continue;
		if ((cr = conf_credential(l->c, r->credential)) == NULL) {
			mistake(&w, "\"%s\" is not one of credentials%s", r->credential, hint_of(l, G_CREDENTIALS, r->credential, near, sizeof near));
			continue;
		}
		if (cr->version != SNMP_V1 || !r->inform)
			continue;
		w = where_is(l, G_RECEIVERS, i, "inform");
		if (is_said(l, G_RECEIVERS, i, "inform"))
			mistake(&w, "SNMP version 1 has no informs; set it to false or use version 2c or 3");
		r->inform = false;
	}
}

/* ---- credentials ---- */

/* The first line of a key file into *out. */
static void
read_secret(const struct where *w, const char *path, size_t min, char **out)
{
	char line[300];
	int fd = load_open(w, path, true);
	ssize_t n;
	size_t len = 0;

	if (fd < 0)
		return;
	n = read(fd, line, sizeof line - 1);
	close(fd);
	if (n < 0) {
		mistake(w, "%s: cannot be read", path);
		return;
	}
	while (len < (size_t)n && line[len] != '\n' && line[len] != '\0')
		len++;
	if (len < (size_t)n && line[len] == '\0')
		mistake(w, "%s: has a NUL octet in its first line", path);
	else if (len > 255)
		mistake(w, "%s: the first line has more than 255 octets", path);
	else {
		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (len < min)
			mistake(w, len == 0 ? "%s: the first line is empty" : "%s: a secret of less than 8 octets", path);
		else if ((*out = strndup(line, len)) == NULL)
			w->l->oom = true;
	}
	explicit_bzero(line, sizeof line);
}

static void
check_secret(struct loader *l, enum conf_group_id id, size_t i, const char *key, const char *key_file, char **secret, const char *file)
{
	struct where w = where_is(l, id, i, key);
	int fd;

	if (*secret != NULL && file != NULL) {
		mistake(&w, "and %s are both given; keep one of them", key_file);
		return;
	}
	if (file != NULL) {
		w = where_is(l, id, i, key_file);
		read_secret(&w, file, key_find(conf_groups[id].keys, key)->min, secret);
	} else if (*secret != NULL && strcmp(*secret, "***") == 0) {
		warning(&w, "is \"***\": a print of a configuration, not a secret");
	} else if (*secret != NULL && (fd = load_open(&w, w.file, true)) >= 0) {
		close(fd);
	}
}

static void
check_v3(struct loader *l, enum conf_group_id id, size_t i, struct conf_credential *cr)
{
	struct where w = where_is(l, id, i, NULL);
	bool has_auth = is_said(l, id, i, "auth_secret") || cr->auth_secret_file != NULL;
	unsigned weak = conf_weaknesses(cr);
	bool has_priv = is_said(l, id, i, "priv_secret") || cr->priv_secret_file != NULL;

	if (cr->user == NULL && !is_said(l, id, i, "user"))
		mistake(&w, "user is missing: SNMP version 3 needs it");
	if (cr->auth != AUTH_NONE && !has_auth)
		mistake(&w, "auth needs auth_secret_file or auth_secret");
	if (cr->auth == AUTH_NONE && has_auth && !is_said(l, id, i, "auth"))
		mistake(&w, "has a secret for authentication, but auth is missing");
	if (cr->priv != PRIV_NONE && !has_priv)
		mistake(&w, "priv needs priv_secret_file or priv_secret");
	if (cr->priv == PRIV_NONE && has_priv && !is_said(l, id, i, "priv"))
		mistake(&w, "has a secret for privacy, but priv is missing");
	if (cr->priv != PRIV_NONE && cr->auth == AUTH_NONE && !is_said(l, id, i, "auth"))
		mistake(&w, "priv needs auth");
	if ((weak & WEAK_NO_AUTH) && !is_said(l, id, i, "auth") && (weak & WEAK_NO_PRIV) && !has_auth && !has_priv)
		warning(&w, "has neither authentication nor privacy");
	w = where_is(l, id, i, "auth");
	if (cr->auth == AUTH_NONE && cr->priv != PRIV_NONE && is_said(l, id, i, "auth"))
		mistake(&w, "priv needs auth");
	if ((weak & WEAK_MD5) && !cr->allow_weak)
		mistake(&w, "MD5 is weak and needs allow_weak = true");
	w = where_is(l, id, i, "priv");
	if ((weak & WEAK_DES) && !cr->allow_weak)
		mistake(&w, "DES is weak and needs allow_weak = true");
}

static void
check_community(struct loader *l, size_t i, struct conf_credential *cr)
{
	static const char *const only_v3[] = { "user", "auth", "auth_secret", "auth_secret_file", "priv", "priv_secret", "priv_secret_file" };
	struct where w = where_is(l, G_CREDENTIALS, i, NULL);

	if (!is_said(l, G_CREDENTIALS, i, "community") && cr->community_file == NULL)
		mistake(&w, "needs community_file or community");
	for (size_t j = 0; j < nitems(only_v3); j++) {
		/* "none" is what a print of the configuration says. */
		if (!is_said(l, G_CREDENTIALS, i, only_v3[j]) || (j == 1 && cr->auth == AUTH_NONE) || (j == 4 && cr->priv == PRIV_NONE))
			continue;
		w = where_is(l, G_CREDENTIALS, i, only_v3[j]);
		mistake(&w, "is for version 3 only");
	}
}

static void
check_credential(struct loader *l, enum conf_group_id id, size_t i, struct conf_credential *cr)
{
	struct where w;

	if (cr->version == SNMP_V3)
		check_v3(l, id, i, cr);
	else if (cr->version != 0)
		check_community(l, i, cr);
	if (id == G_CREDENTIALS) {
		w = where_is(l, id, i, "community");
		if (cr->version == SNMP_V3 && (is_said(l, id, i, "community") || is_said(l, id, i, "community_file")))
			mistake(&w, "is for versions 1 and 2c only");
		else
			check_secret(l, id, i, "community", "community_file", &cr->community, cr->community_file);
		if (conf_weaknesses(cr) & WEAK_COMMUNITY)
			warning(&w, "the community is one that everybody tries first");
	}
	check_secret(l, id, i, "auth_secret", "auth_secret_file", &cr->auth_secret, cr->auth_secret_file);
	check_secret(l, id, i, "priv_secret", "priv_secret_file", &cr->priv_secret, cr->priv_secret_file);
}

void
check_all(struct loader *l)
{
	struct conf *c = l->c;

	for (size_t i = 0; i < c->n_credentials; i++)
		check_credential(l, G_CREDENTIALS, i, &c->credentials[i]);
	for (size_t i = 0; i < c->n_trap_users; i++)
		check_credential(l, G_TRAP_USERS, i, &c->trap_users[i]);
	for (size_t i = 0; i < c->n_sites; i++) {
		if (!is_said(l, G_SITES, i, "page_existing"))
			c->sites[i].page_existing = c->sites[i].sensitive;
	}
	for (size_t g = 0; g < G_N; g++) {
		if (conf_groups[g].what != NULL)
			check_twice(l, (enum conf_group_id)g, false);
	}
	check_twice(l, G_SWITCHES, true);
	check_switches(l);
	check_receivers(l);
	if (c->policies.n == 0) {
		struct where w = { .l = l, .file = l->single.file, .line = 1, .key = "policy" };

		warning(&w, "none is named: no device will be restricted");
	}
}
