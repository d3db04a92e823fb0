# automatically generated from messages/error_code.cpp, do not modify

# (name, meaning, remedy), in the order of ErrorCode
ERRORS = (
    ('none', 'No error.', ''),
    ('malformed_frame', 'The bytes are not a valid frame.', "Build frames with the published schemas and this version's client library."),
    ('unsupported_protocol', 'Client and daemon share no protocol version.', 'Upgrade the older of the two.'),
    ('invalid_argument', 'A field of the request is out of range.', 'Correct the field that the text names.'),
    ('unknown_model', 'The daemon hosts no model of that name.', 'Ask for one of the names that `sluice list` prints.'),
    ('unknown_request', 'No request of that id is known.', 'Its replay window may have expired; submit it again.'),
    ('id_conflict', 'The id is in use for another request.', 'Choose a fresh random id for every new request.'),
    ('prompt_too_long', "The prompt does not fit in the model's context.", 'Shorten the prompt or choose a model with a longer context.'),
    ('never_fits', 'The request needs more KV pages than the lane has.', 'Lower max_tokens or n, or raise memory.kv_bytes.'),
    ('queue_full', 'Too many requests are waiting.', 'Try again after retry_after, or raise limits.queue.'),
    ('too_many_requests', 'This client has too many open requests.', 'Wait for some to end, or raise limits.requests_per_client.'),
    ('draining', 'The daemon is shutting down.', 'Submit to another daemon, or after the restart.'),
    ('deadline_exceeded', "The request's deadline passed before it ended.", 'Allow more time, or lower max_tokens.'),
    ('queue_timeout', 'The request waited in the queue for too long.', 'Allow a longer queue_timeout, or submit less at once.'),
    ('unsupported_feature', 'This daemon does not offer the requested feature.', 'Leave the field that the text names at its default.'),
    ('tokenizer_failed', 'The prompt could not be turned into tokens.', "Check the prompt's encoding and token ids."),
    ('executor_failed', 'The device failed while it ran this request.', "Submit again; see the daemon's log if it happens twice."),
    ('numeric_failure', "The model's logits are not finite.", 'Check the model file; try a wider weight or KV type.'),
    ('ledger_discrepancy', "The account of this request's KV pages does not add up.", 'Submit again and report the log line that names the pages.'),
    ('shutdown', 'The daemon stopped before the end.', 'Submit again after the restart.'),
    ('internal', 'An internal check failed.', "Report the text together with the daemon's log."),
)
