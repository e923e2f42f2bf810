"""From what one run left (counters, logs) to its figures, which reports are made of."""

from . import measure, sampler, statistics


def of_run(plan, summary, latencies, tps, counters, points, drained, library):
    """All figures of one run.  A figure that this machine cannot give is None.

    summary: pgbench's report; latencies in µs; tps: per second; counters: differences over the
    run; points: checkpoints within it; drained: counters until all was on disk and the seconds
    that took, or None; library: what smgr_atomic counted, or None.
    """
    number = max(summary['transactions'], 1)
    result = dict(summary)
    result.update(statistics.steadiness(tps))
    result.update(statistics.latency(latencies) if latencies else {})
    result.update({
        'wal_bytes': counters['wal_lsn'],
        'wal_per_transaction': counters['wal_lsn'] / number,
        'wal_record_bytes': counters['wal_bytes'],
        'images': counters['wal_fpi'],
        'images_per_transaction': counters['wal_fpi'] / number})
    result.update(_checkpoints(points))
    result.update(_pages(points, counters, drained, library))
    result.update(_device(plan, number, counters, drained))
    return result


def _pages(points, counters, drained, library):
    """Who wrote pages.  A checkpointer in a hurry hands in its counters only when it is done:
    without a drain they may be missing, and are None then."""
    names = ('buffers_checkpoint', 'buffers_bgwriter', 'buffers_backend')
    result = {name: (drained or counters)[name] for name in names}
    unfinished = any(not point['finished'] for point in points)
    if drained is None and unfinished and counters['buffers_checkpoint'] == 0:
        result = dict.fromkeys(names)
    pages = library['pages'] if library else None
    result['library_pages'] = pages
    result['library_pooled'] = library['accepted'] if library else None
    result['library_us_per_page'] = library['write_time_ms'] * 1000 / pages if pages else None
    return result


def _checkpoints(points):
    """Seconds of the run in which a checkpoint was writing, and syncing (finished ones only)."""
    writing = sum(min(point['to'] - point['from'], point.get('write_s', float('inf')))
                  for point in points)
    return {'checkpoints_begun': sum(point['begun'] for point in points),
            'checkpoints_finished': sum(point['finished'] for point in points),
            'checkpoint_write_s': writing,
            'checkpoint_sync_s': sum(point.get('sync_s', 0) for point in points)}


def _device(plan, number, counters, drained):
    names = ('device_write_bytes', 'device_writes', 'device_read_bytes', 'device_reads')
    result = {name: counters.get(name) for name in names}
    written = counters.get('device_write_bytes')
    result['device_bytes_per_transaction'] = None if written is None else written / number
    flushes, ms = counters.get('device_flushes'), counters.get('device_busy_ms')
    result['device_flushes'] = flushes
    result['device_busy_share'] = None if ms is None else ms / 1000 / plan.duration
    result['drain_s'] = result['drained_bytes_per_transaction'] = None
    if drained is not None:
        result['drain_s'] = drained['seconds']
        if written is not None:
            result['drained_bytes_per_transaction'] = drained['device_write_bytes'] / number
    return result


def per_second(plan, directory, rate, progress_tps, samples, launched):
    """Read pgbench's logs of a run.

    Returns (latencies in µs, one row per second, TPS per second, start as epoch).  The start is
    that of the first transaction.  With a sampled log the TPS come from pgbench's progress lines.
    """
    latencies, ends = measure.transactions(directory)
    start = launched
    if rate >= 1 and len(ends):
        start = min(end - latency for latency, end in zip(latencies, ends)) / 1e6
    groups = measure.seconds(latencies, ends, int(start * 1e6), plan.duration)
    if rate >= 1:
        tps = [len(group) for group in groups]
    else:
        tps = [value for _, value in progress_tps][:plan.duration]
        tps += [0.0] * (plan.duration - len(tps))
    rows = measure.second_rows(groups, tps)
    for name in ('write_bytes', 'writes', 'read_bytes', 'flushes', 'busy_ms'):
        values = sampler.per_second(samples, name, start, plan.duration)
        for row, value in zip(rows, values):
            row[f'device_{name}'] = value
    return latencies, rows, tps, start
