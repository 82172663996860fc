-- count_forbidden_country: counts a country that was refused. Several within a few sends mean that it is not the
-- country.
-- KEYS: a key of the account.
-- ARGV: options `scope` (of the country), `sends` to look back on, `countries` among them that are too many.
-- Answer: 1 when there are so many.
-- Safe to repeat: a country counts once, with its last refusal.
redis.call('ZADD', KEY.forbidden, text(sends_made()), OPTIONS.scope)
redis.call('ZREMRANGEBYSCORE', KEY.forbidden, '-inf', text(sends_made() - OPTIONS.sends))
return redis.call('ZCARD', KEY.forbidden) >= OPTIONS.countries and 1 or 0
