# smgr_atomic: torn-free page writes for PostgreSQL
#
#   make                 build for the server of pg_config (PG_CONFIG=... for another)
#   sudo make install    install the extension and smgr-atomic-check
#   make installcheck    SQL tests against a running server that preloads the library
#   sudo make test       install what is needed, build, run every test of t/
#   sudo make test-qemu  NVMe namespaces in QEMU (fetches a system of 400 MB the first time)
#   sudo make demo       install what is needed, build, run a comparison of about ten minutes
#   sudo make crashtest CUTS=25 SEED=1   cut the power again and again, print a table
#   sudo make pool-stress SECONDS=600    hammer the write-behind pool, check every page read
#   sudo make matrix     every server in a root of its own, every kind of storage: one table
#   sudo make pgregress  PostgreSQL's own regression tests, with the library and without
#   sudo make lab-kernel     build a kernel with RWF_WRITETHROUGH (user-mode Linux, 2.5 GB of source)
#   sudo make test-writethrough          test that kernel, the extension on it, compare

EXTENSION = smgr_atomic
MODULE_big = smgr_atomic
OBJS = \
	smgr_atomic/attach.o \
	smgr_atomic/barrier.o \
	smgr_atomic/decide.o \
	smgr_atomic/doublewrite.o \
	smgr_atomic/driver.o \
	smgr_atomic/entries.o \
	smgr_atomic/filecopy.o \
	smgr_atomic/fpw.o \
	smgr_atomic/guard.o \
	smgr_atomic/interlock.o \
	smgr_atomic/journal.o \
	smgr_atomic/journalfile.o \
	smgr_atomic/journalmake.o \
	smgr_atomic/marker.o \
	smgr_atomic/neverlogged.o \
	smgr_atomic/newdb.o \
	smgr_atomic/newpages.o \
	smgr_atomic/pace.o \
	smgr_atomic/pagefile.o \
	smgr_atomic/place.o \
	smgr_atomic/places.o \
	smgr_atomic/probe.o \
	smgr_atomic/readahead.o \
	smgr_atomic/readback.o \
	smgr_atomic/repair.o \
	smgr_atomic/retirer.o \
	smgr_atomic/segment.o \
	smgr_atomic/smgr_atomic.o \
	smgr_atomic/sqlfuncs.o \
	smgr_atomic/stats.o \
	smgr_atomic/tornpages.o \
	smgr_atomic/worker.o \
	smgr_atomic/write.o \
	smgr_atomic/writeback.o \
	smgr_atomic/writebehind.o \
	smgr_atomic/writer.o
DATA = sql/smgr_atomic--0.1.0.sql
REGRESS = smgr_atomic
# The WAL resource manager's ID, if not 128: make clean, then make SA_RMGR_ID=129
SA_RMGR_ID =
PG_CPPFLAGS = -Ismgr_atomic $(if $(SA_RMGR_ID),-DSA_RMGR_ID=$(SA_RMGR_ID))
SHLIB_LINK = -luring -llz4 -ldl

PG_CONFIG ?= pg_config
CHECK = smgr_atomic/smgr-atomic-check
EXTRA_CLEAN = $(CHECK)

# PGXS is not there before "make setup" has run; the targets below it must be.
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)

all: $(CHECK)

$(OBJS): $(wildcard smgr_atomic/*.h)

install: install-check-program
install-check-program: $(CHECK)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(CHECK) '$(DESTDIR)$(bindir)/smgr-atomic-check'
.PHONY: install-check-program
else
all install installcheck:
	@echo "pg_config not found: run 'sudo make setup', or give PG_CONFIG=..." >&2; exit 1
endif

# Needs a C compiler, no server: storage can be checked before anything is installed.
$(CHECK): smgr_atomic/check_main.c smgr_atomic/probe.c smgr_atomic/probe.h
	$(CC) -std=gnu11 -O2 -Wall -Wextra $(COPT) -o $@ smgr_atomic/check_main.c smgr_atomic/probe.c

setup:
	contrib-bench/lab/setup

test: setup
	$(MAKE) all
	$(MAKE) install
	t/run

test-qemu: setup
	t/run t/qemu/nvme.pl

demo: setup
	$(MAKE) all
	$(MAKE) install
	contrib-bench/demo

CUTS = 25
SEED =
crashtest: setup
	$(MAKE) all
	$(MAKE) install
	contrib-bench/lab/crashtest --cuts $(CUTS) $(if $(SEED),--seed $(SEED))

# rows: see contrib-bench/lab/matrix --help; RESUME=1 goes on with the last run
ROWS =
RESUME =
matrix: setup
	$(MAKE) all
	$(MAKE) install
	contrib-bench/lab/matrix $(if $(ROWS),--rows "$(ROWS)") $(if $(JOBS),--jobs $(JOBS)) $(if $(RESUME),--resume)

pgregress: setup
	$(MAKE) all
	$(MAKE) install
	contrib-bench/lab/pgregress

SECONDS = 600
pool-stress: setup
	$(MAKE) all
	$(MAKE) install
	TEST_SECONDS=$$(($(SECONDS) + 1200)) POOL_STRESS_SECONDS=$(SECONDS) $(if $(SEED),POOL_STRESS_SEED=$(SEED)) t/run t/400_pool_stress.pl

lab-kernel: setup
	contrib-bench/lab/kernel/build

# Needs the kernel: make lab-kernel
test-writethrough: setup
	$(MAKE) all
	$(MAKE) install
	contrib-bench/lab/kernel/build --path
	prove contrib-bench/lab/kernel/tests/kernel.pl contrib-bench/lab/kernel/tests/postgres.pl
	contrib-bench/lab/kernel/compare

.PHONY: setup test test-qemu demo crashtest pool-stress pgregress lab-kernel test-writethrough
