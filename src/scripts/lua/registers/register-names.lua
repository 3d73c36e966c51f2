-- Reads names of registers of which something was accepted, those that were deleted lately included. Changes nothing.
--   KEYS[2]  registers of which something was accepted (sorted set, all with one score)
--   ARGV[2], ARGV[3]  the first name, and the first one after them
--   ARGV[4]  maximum number
-- Returns {name ...}, in their order.

return redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[2], '(' .. ARGV[3], 'LIMIT', 0, ARGV[4])
