/*-------------------------------------------------------------------------
 *
 * journal.h
 *	  The page journal: its file format, its ring, its reader.
 *
 * Include this to lay out batches or to read a journal.  It needs no running
 * server: the same code serves the library, the unit tests and the fuzzer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_JOURNAL_H
#define SMGR_ATOMIC_JOURNAL_H

#include "c.h"

#define SA_JOURNAL_BLOCK 8192
#define SA_JOURNAL_SECTIONS 8
#define SA_JOURNAL_KEYS 4		/* pages of a section at most, for each of its blocks: many have no copy */
#define SA_JOURNAL_UUID 16
#define SA_JOURNAL_SUPER_SLOTS 2
#define SA_JOURNAL_RING 65536	/* offset of the ring in the file */
#define SA_JOURNAL_ANY_FORK (-1)

/* Identity of a page; in memory and in the file. */
typedef struct SaJournalKey
{
	uint32		tablespace;
	uint32		database;
	uint32		relation;
	int32		fork;
	uint32		block;
} SaJournalKey;

/* What a superblock says. */
typedef struct SaJournalSuper
{
	uint64		system_identifier;
	uint8		uuid[SA_JOURNAL_UUID];	/* of the file, made with it */
	uint64		generation;		/* of the server's start; every batch has it */
	uint64		serial;			/* of this superblock: the larger is the newer */
	uint64		window_start;	/* batches before this sequence number are void */
	uint32		section_blocks; /* size of a section */
	uint32		in_use;			/* 0 = given up with every page in place */
} SaJournalSuper;

typedef enum SaJournalKind
{
	SA_JOURNAL_PAGES = 1,		/* entries, then copies of the pages of the first ones */
	SA_JOURNAL_FORGET = 2		/* header only: earlier copies of these are void */
} SaJournalKind;

/* One page of a batch; of a "forget" only key, whose block is the first. */
typedef struct SaJournalEntry
{
	SaJournalKey key;
	uint32		crc;			/* CRC-32C of the page */
	uint64		lsn;			/* of the page */
	uint32		length;			/* of its copy: SA_JOURNAL_BLOCK, or fewer bytes if packed; 0 = it has none */
	uint32		unused;			/* 0 */
} SaJournalEntry;

/* Header of a batch. */
typedef struct SaJournalHeader
{
	uint64		magic;
	uint32		version;
	uint32		crc;			/* CRC-32C of the batch's first block, with 0 here */
	uint64		system_identifier;
	uint8		uuid[SA_JOURNAL_UUID];
	uint64		generation;
	uint64		sequence;		/* from 1, no gaps within a generation */
	uint64		offset;			/* where in the file this header belongs */
	uint64		wal;			/* redo point of the checkpoint that had begun last when it was written */
	uint32		kind;
	uint32		count;			/* entries */
	uint32		copies;			/* so many of them, the first, have a copy */
	uint32		start;			/* bytes from here to the first copy; the others follow without gaps */
	SaJournalEntry entries[FLEXIBLE_ARRAY_MEMBER];
} SaJournalHeader;

#define SA_JOURNAL_MAX_ENTRIES \
	((int) ((SA_JOURNAL_BLOCK - offsetof(SaJournalHeader, entries)) / sizeof(SaJournalEntry)))

/* A part of the ring.  Sections are used in turn and freed in the same order. */
typedef struct SaRingSection
{
	uint64		end_sequence;	/* number after its last batch */
	uint32		used_blocks;
	uint32		pages;			/* keys kept for it */
	uint32		copies;			/* of these pages */
	uint32		outstanding;	/* pages and records reserved, not yet done */
} SaRingSection;

typedef struct SaRing
{
	uint32		section_blocks;
	uint32		tail;			/* oldest live section */
	uint32		live;			/* number of live sections */
	bool		sealed;			/* the newest one takes no more */
	uint64		next_sequence;
	SaRingSection sections[SA_JOURNAL_SECTIONS];
} SaRing;

/* Where a batch goes. */
typedef struct SaRingPlace
{
	int			section;
	uint64		sequence;
	uint64		offset;			/* in the file */
	uint32		first_key;		/* index of its first page in the section */
} SaRingPlace;

/* One copy of a page that a scan found, or the word that zeroes would do as well. */
typedef struct SaJournalCopy
{
	SaJournalKey key;
	uint32		crc;
	uint64		lsn;
	uint64		sequence;
	uint64		offset;			/* in the file; 0 = zeroes do */
	uint32		length;			/* there */
} SaJournalCopy;

typedef struct SaJournalScan
{
	SaJournalCopy *copies;		/* by key, newest first; malloc'ed */
	size_t		count;
	uint64		batches;		/* with pages that count */
	uint64		forgotten;		/* copies that a "forget" made void */
} SaJournalScan;

/* Reads one block at an offset; 0 or an errno. */
typedef int (*SaJournalRead) (void *arg, uint64 offset, void *block);

/* format */
extern uint64 sa_journal_file_size(uint32 section_blocks);
extern uint32 sa_journal_section_blocks(uint64 file_size);
extern uint32 sa_journal_section_pages(uint32 section_blocks);
extern uint64 sa_journal_super_offset(uint64 serial);
extern void sa_journal_encode_super(const SaJournalSuper *super, void *block);
extern bool sa_journal_decode_super(const void *block, SaJournalSuper *super);
extern int	sa_journal_read_super(SaJournalRead read, void *arg, SaJournalSuper *super, bool *found);
extern void sa_journal_encode_header(const SaJournalSuper *super, SaJournalKind kind,
									 const SaRingPlace *place, uint64 wal,
									 const SaJournalEntry *entries, int count, int copies, uint32 start,
									 void *block);
extern uint32 sa_journal_packed_start(int count);
extern uint32 sa_journal_pack(const void *page, void *copy);
extern uint32 sa_journal_blocks(uint32 bytes);
extern uint32 sa_journal_page_crc(const void *page);
extern uint64 sa_journal_page_lsn(const void *page);

/* ring */
extern void sa_ring_init(SaRing *ring, uint32 section_blocks);
extern int	sa_journal_batch_max(uint32 section_blocks);
extern bool sa_ring_reserve(SaRing *ring, int pages, int copies, uint32 blocks, SaRingPlace *place);
extern void sa_ring_done(SaRing *ring, int section, uint32 count);
extern void sa_ring_seal(SaRing *ring);
extern int	sa_ring_retirable(const SaRing *ring);
extern int	sa_ring_section(const SaRing *ring, int nth);
extern uint64 sa_ring_window_after(const SaRing *ring, int count);
extern void sa_ring_retire(SaRing *ring, int count);

/* reader */
extern int	sa_journal_scan(SaJournalRead read, void *arg, const SaJournalSuper *super,
							uint64 redo, SaJournalScan *scan);
extern void sa_journal_scan_free(SaJournalScan *scan);
extern int	sa_journal_read_copy(SaJournalRead read, void *arg, const SaJournalCopy *copy, void *page, bool *whole);
extern int	sa_journal_compare_pages(const void *a, const void *b);
extern bool sa_journal_same_page(const SaJournalKey *a, const SaJournalKey *b);
extern bool sa_journal_covers(const SaJournalKey *forget, const SaJournalKey *key);
extern bool sa_journal_must_restore(const void *in_place, const void *copy, bool is_damaged);
extern bool sa_journal_must_empty(const void *in_place, const SaJournalCopy *copies, size_t count);

#endif							/* SMGR_ATOMIC_JOURNAL_H */
