/* tests/fuzz/fuzz_registry.c: a registry file of anything: every line is counted, and what is found was in it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const macs[] = { "44:19:b6:01:02:03", "ac:64:dd:51:02:03", "70:b3:d5:12:34:56", "00:00:00:00:00:01", "ff:ff:ff:ff:ff:ff" };
	struct registry *r = registry_new();
	const struct registry_file *file;
	size_t n, half = size / 2, lines = 0;

	assert(r != NULL);
	/* Two files, so that the same block comes twice. */
	registry_add(r, "one", (const char *)data, size, (struct wall){ 1 });
	registry_add(r, "two", (const char *)data + half, size - half, (struct wall){ 2 });
	if (registry_finish(r) < 0)
		abort();
	file = registry_files(r, &n);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	for (size_t i = 0; i < n; i++)
		assert(file[i].entries + file[i].refused <= lines + 1);
	for (size_t i = 0; i < sizeof macs / sizeof *macs; i++) {
		struct registry_match m;
		struct mac mac;

		assert(mac_parse(macs[i], &mac) == 0);
		m = registry_lookup(r, mac);
		assert((m.organisation == NULL) == (m.bits == 0));
		assert(m.organisation == NULL || (m.organisation[0] != '\0' && (m.bits == 24 || m.bits == 28 || m.bits == 36)));
	}
	registry_free(r);
	return 0;
}
