#!/usr/bin/env bash
# Installs what is needed, builds, and runs the tests labelled `ci`; --all adds `noc` and `long`.
# Ends with ctest's summary. Run again, it starts in seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
labels='ci'
case "${1:-}" in
"") ;;
--all) labels='ci|noc|long' ;;
*)
	echo "usage: tests/run.sh [--all]" >&2
	exit 2
	;;
esac
. packaging/deps.sh
need_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
[ "$labels" = ci ] || need_packages "${NOC_PACKAGES[@]}"
export PATH="$PATH:/usr/sbin:/sbin"
werror=OFF
[ "${CI:-}" = true ] && werror=ON
jobs=$(nproc)
# ASan and UBSan with gcc run the tests; clang compiles the same tree for its own warnings.
cmake --preset debug -DCAMTRAPD_WERROR=$werror >/dev/null
cmake --build --preset debug -j "$jobs"
cmake --preset clang -DCAMTRAPD_WERROR=$werror >/dev/null
cmake --build --preset clang -j "$jobs"
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
exec ctest --test-dir build/debug -L "$labels" -j "$jobs" --output-on-failure
