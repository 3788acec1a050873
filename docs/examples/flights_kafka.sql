-- Flights that left New York in 2013: ten months of history as a batch, the last two months as a live stream,
-- and one query over both.
--
-- As flights.sql, but the live part comes from a topic: see docs/guides/topics.md. Paths are relative to the
-- folder where the client runs.

-- 1. The data -----------------------------------------------------------------------------------------

CREATE TABLE airlines () WITH (connector = 'file', path = 'data/flights/airlines.csv');
CREATE TABLE airports () WITH (connector = 'file', path = 'data/flights/airports.csv', null = 'NA');

CREATE TABLE history (
  year integer, month integer, day integer,
  dep_time integer, sched_dep_time integer, dep_delay integer,
  arr_time integer, sched_arr_time integer, arr_delay integer,
  carrier text, flight integer, tailnum text, origin text, dest text,
  air_time integer, distance integer, hour integer, minute integer, time_hour timestamptz
) WITH (connector = 'file', path = 'data/flights/history/*.csv', null = 'NA');

-- November and December, from a topic with one partition for each city (deploy/flights_to_topic.py). A flight may
-- come up to a day after later ones; what comes later than that would be set apart as late. `stop` ends the topic
-- where it ends now, so that the script has an end, too; without it the views go on.
CREATE TABLE live (
  year integer, month integer, day integer,
  dep_time integer, sched_dep_time integer, dep_delay integer,
  arr_time integer, sched_arr_time integer, arr_delay integer,
  carrier text, flight integer, tailnum text, origin text, dest text,
  air_time integer, distance integer, hour integer, minute integer, time_hour timestamptz,
  WATERMARK FOR time_hour AS time_hour - INTERVAL '1 day'
) WITH (connector = 'kafka', brokers = 'localhost:9092', topic = 'flights', format = 'json', start = 'earliest', stop = 'latest',
        rows_per_second = '20000');

-- 2. and 3. History: processed in parallel, stored as tables and as Parquet files -----------------------

CREATE TABLE carrier_history AS
  SELECT h.carrier, a.name AS airline, count(*) AS flights,
         avg(h.dep_delay) AS mean_delay, stddev(h.dep_delay) AS stddev_delay,
         count(*) FILTER (WHERE h.dep_delay > 15) AS delayed
  FROM history h JOIN airlines a ON h.carrier = a.carrier
  WHERE h.dep_delay IS NOT NULL
  GROUP BY h.carrier, a.name
  ORDER BY flights DESC;

CREATE TABLE route_history AS
  SELECT h.origin, h.dest, p.name AS airport, count(*) AS flights,
         avg(h.air_time) AS mean_air_time, max(h.arr_delay) AS worst_delay
  FROM history h LEFT JOIN airports p ON h.dest = p.faa
  WHERE h.arr_delay IS NOT NULL
  GROUP BY h.origin, h.dest, p.name
  ORDER BY flights DESC, h.origin, h.dest;

COPY (SELECT * FROM carrier_history ORDER BY flights DESC)
  TO 'data/flights/out/carrier_history.parquet' (FORMAT parquet);
COPY (SELECT * FROM route_history ORDER BY flights DESC, origin, dest)
  TO 'data/flights/out/route_history.parquet' (FORMAT parquet);

-- 4. and 5. The live stream: kept up to date while it comes in, and stored --------------------------------
-- The four views and the sink are one job: every flight is read once, and all of them stand at the same moment.

-- Delays per carrier and hour.
CREATE MATERIALIZED VIEW carrier_hourly AS
  SELECT window_start, carrier, count(*) AS flights, avg(dep_delay) AS mean_delay,
         max(dep_delay) AS worst_delay
  FROM tumble(live, time_hour, INTERVAL '1 hour')
  GROUP BY window_start, window_end, carrier;

-- The same over the last seven days, each day anew.
CREATE MATERIALIZED VIEW carrier_sliding AS
  SELECT window_start, window_end, carrier, count(*) AS flights,
         count(dep_delay) AS departed, sum(dep_delay) AS sum_delay
  FROM hop(live, time_hour, INTERVAL '1 day', INTERVAL '7 days')
  GROUP BY window_start, window_end, carrier;

-- A moving average over the last 100 flights of a carrier.
CREATE MATERIALIZED VIEW carrier_moving AS
  SELECT time_hour, carrier, flight, origin, dest, dep_delay,
         avg(dep_delay) OVER (PARTITION BY carrier ORDER BY time_hour ROWS 99 PRECEDING) AS moving_delay
  FROM live;

-- How many flights have left each airport so far.
CREATE MATERIALIZED VIEW airport_cumulative AS
  SELECT time_hour, origin, flight, carrier,
         count(*) OVER (PARTITION BY origin ORDER BY time_hour) AS flights_so_far
  FROM live;

-- Each hour once, when it is over, into files. An INSERT adds to what is there: before this script runs again, empty
-- the folder.
CREATE TABLE hourly_files () WITH (connector = 'file', path = 'data/flights/out/hourly/', format = 'parquet');
INSERT INTO hourly_files
  SELECT window_start, window_end, carrier, count(*) AS flights, avg(dep_delay) AS mean_delay
  FROM tumble(live, time_hour, INTERVAL '1 hour')
  GROUP BY window_start, window_end, carrier
  EMIT ON WINDOW CLOSE;

-- 6. How the live weeks of each carrier compare with its history ------------------------------------------

CALL millrace.wait_for('carrier_sliding', 'complete', 'true', '10 minutes');

SELECT s.window_start::date AS week_from, c.airline, s.flights,
       round(s.sum_delay::numeric / s.departed, 2) AS live_delay,
       round(c.mean_delay, 2) AS usual_delay,
       round(s.sum_delay::numeric / s.departed - c.mean_delay, 2) AS change
FROM carrier_sliding s JOIN carrier_history c ON s.carrier = c.carrier
WHERE s.departed > 100
  AND extract(isodow FROM s.window_start AT TIME ZONE 'UTC') = 1
ORDER BY week_from, change DESC, airline;
