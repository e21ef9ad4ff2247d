/* tests/fuzz/driver.c: runs a fuzz target without libFuzzer: each seed, then mutations of seeds from one printed number. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096
#define SEEDS_MAX 64
#define ROUNDS 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct { uint8_t b[INPUT_MAX]; size_t n; } seeds[SEEDS_MAX];
static size_t n_seeds;
static uint64_t state;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

static void
seeds_read(const char *folder)
{
	DIR *d = opendir(folder);
	char path[1024];

	if (d == NULL)
		return;
	for (struct dirent *e; n_seeds < SEEDS_MAX && (e = readdir(d)) != NULL;) {
		FILE *f;

		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.' || (f = fopen(path, "rb")) == NULL)
			continue;
		seeds[n_seeds].n = fread(seeds[n_seeds].b, 1, INPUT_MAX, f);
		n_seeds++;
		fclose(f);
	}
	closedir(d);
}

static size_t
mutate(uint8_t *out)
{
	size_t n = 0;

	if (n_seeds > 0 && draw(8) != 0) {
		size_t s = draw((uint32_t)n_seeds);

		n = seeds[s].n;
		memcpy(out, seeds[s].b, n);
	} else {
		n = draw(200);
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)draw(256);
	}
	for (uint32_t i = draw(8); i > 0 && n > 0; i--) {
		size_t at = draw((uint32_t)n);

		switch (draw(4)) {
		case 0:
			out[at] = (uint8_t)draw(256);
			break;
		case 1:
			out[at] ^= (uint8_t)(1u << draw(8));
			break;
		case 2:
			n = at;
			break;
		case 3:
			if (n < INPUT_MAX) {
				memmove(out + at + 1, out + at, n - at);
				n++;
			}
			break;
		}
	}
	return n;
}

int
main(int argc, char **argv)
{
	const char *number = getenv("FUZZ_SEED");

	state = number != NULL ? strtoull(number, NULL, 10) : 20261124;
	printf("FUZZ_SEED=%llu\n", (unsigned long long)state);
	if (argc > 1)
		seeds_read(argv[1]);
	for (size_t i = 0; i < n_seeds; i++)
		LLVMFuzzerTestOneInput(seeds[i].b, seeds[i].n);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t *input = malloc(INPUT_MAX), *exact;
		size_t n = mutate(input);

		exact = malloc(n > 0 ? n : 1);	/* its end is the heap block's end: an overread is caught */
		memcpy(exact, input, n);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
		free(input);
	}
	printf("%zu seeds, %d mutations\n", n_seeds, ROUNDS);
	return 0;
}
