/**
 * Which noise goes to which row: the assignment of the least cost. Jonker and Volgenant 1987, "A Shortest Augmenting Path
 * Algorithm for Dense and Sparse Linear Assignment Problems", O(n³) at worst.
 */

/** Squared distances of all rows of a [n, d] from all of b [n, d], row by row. */
export function squaredDistances(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  width: number,
): Float64Array {
  const n = a.length / width;
  const cost = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let k = 0; k < width; k++) {
        const apart = (a[i * width + k] as number) - (b[j * width + k] as number);
        total += apart * apart;
      }
      cost[i * n + j] = total;
    }
  }
  return cost;
}

export interface Assignment {
  /** The column of each row. */
  readonly columns: Int32Array;
  /** Prices that prove it: u_i + v_j ≤ cost_ij, with equality where i has j. */
  readonly u: Float64Array;
  readonly v: Float64Array;
}

/** What a search has so far. Rows and columns that have each other; −1: none. */
interface Search {
  readonly n: number;
  readonly cost: Float64Array;
  readonly v: Float64Array;
  readonly columnOf: Int32Array;
  readonly rowOf: Int32Array;
}

/** Every column goes to its cheapest row, if that has none yet; the prices of these columns fall to the second choice of the row. */
function reduceColumns({ n, cost, v, columnOf, rowOf }: Search): number[] {
  const wishes = new Int32Array(n);
  for (let j = n - 1; j >= 0; j--) {
    let row = 0;
    for (let i = 1; i < n; i++)
      if ((cost[i * n + j] as number) < (cost[row * n + j] as number)) row = i;
    v[j] = cost[row * n + j] as number;
    wishes[row] = (wishes[row] as number) + 1;
    const had = columnOf[row] as number;
    if (had >= 0 && (v[j] as number) >= (v[had] as number)) continue;
    if (had >= 0) rowOf[had] = -1;
    columnOf[row] = j;
    rowOf[j] = row;
  }
  const free: number[] = [];
  for (let i = 0; i < n; i++) {
    const own = columnOf[i] as number;
    if (own < 0) free.push(i);
    else if (wishes[i] === 1) {
      let least = Number.POSITIVE_INFINITY;
      for (let j = 0; j < n; j++)
        if (j !== own) least = Math.min(least, (cost[i * n + j] as number) - (v[j] as number));
      if (Number.isFinite(least)) v[own] = (v[own] as number) - least;
    }
  }
  return free;
}

/** Free rows take their cheapest column, whoever has it; who loses it looks again. Ends after some turns: rounding may go on for ever. */
function reduceRows({ n, cost, v, columnOf, rowOf }: Search, free: readonly number[]): number[] {
  const still: number[] = [];
  const waiting = [...free].reverse();
  let turns = 4 * n;
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    let [least, second] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    let [first, other] = [0, 0];
    for (let j = 0; j < n; j++) {
      const price = (cost[row * n + j] as number) - (v[j] as number);
      if (price >= second) continue;
      if (price >= least) {
        second = price;
        other = j;
      } else {
        [second, other] = [least, first];
        [least, first] = [price, j];
      }
    }
    let column = first;
    const isBetter = least < second;
    if (isBetter) v[first] = (v[first] as number) - (second - least);
    else if ((rowOf[first] as number) >= 0) column = other;
    const loser = rowOf[column] as number;
    columnOf[row] = column;
    rowOf[column] = row;
    if (loser < 0) continue;
    columnOf[loser] = -1;
    if (isBetter && turns-- > 0) waiting.push(loser);
    else still.push(loser);
  }
  return still;
}

/** The shortest path in reduced costs from a free row to a free column (Dijkstra); rows along it change their columns. */
function augment({ n, cost, v, columnOf, rowOf }: Search, start: number): void {
  const distance = new Float64Array(n);
  const before = new Int32Array(n).fill(start);
  // Columns: those that are done, those at the least distance, the others.
  const order = Int32Array.from({ length: n }, (_, j) => j);
  for (let j = 0; j < n; j++) distance[j] = (cost[start * n + j] as number) - (v[j] as number);
  let [low, up, done, reached, end] = [0, 0, 0, 0, -1];
  while (end < 0) {
    if (up === low) {
      done = low;
      reached = distance[order[up++] as number] as number;
      for (let k = up; k < n; k++) {
        const j = order[k] as number;
        const far = distance[j] as number;
        if (far > reached) continue;
        if (far < reached) {
          up = low;
          reached = far;
        }
        order[k] = order[up] as number;
        order[up++] = j;
      }
      for (let k = low; k < up && end < 0; k++)
        if ((rowOf[order[k] as number] as number) < 0) end = order[k] as number;
      if (end >= 0) break;
    }
    const near = order[low++] as number;
    const row = rowOf[near] as number;
    const offset = (cost[row * n + near] as number) - (v[near] as number) - reached;
    for (let k = up; k < n; k++) {
      const j = order[k] as number;
      const through = (cost[row * n + j] as number) - (v[j] as number) - offset;
      if (through >= (distance[j] as number)) continue;
      before[j] = row;
      distance[j] = through;
      if (through !== reached) continue;
      if ((rowOf[j] as number) < 0) {
        end = j;
        break;
      }
      order[k] = order[up] as number;
      order[up++] = j;
    }
  }
  for (let k = 0; k < done; k++) {
    const j = order[k] as number;
    v[j] = (v[j] as number) + (distance[j] as number) - reached;
  }
  for (let j = end; ; ) {
    const row = before[j] as number;
    rowOf[j] = row;
    const had = columnOf[row] as number;
    columnOf[row] = j;
    if (row === start) break;
    j = had;
  }
}

/**
 * @param cost [n, n], finite, row by row
 * @returns the permutation of least Σ cost, exactly
 */
export function assign(cost: Float64Array): Assignment {
  const n = Math.round(Math.sqrt(cost.length));
  const [columns, rowOf] = [new Int32Array(n).fill(-1), new Int32Array(n).fill(-1)];
  const v = new Float64Array(n);
  const search: Search = { n, cost, v, columnOf: columns, rowOf };
  let free = reduceColumns(search);
  if (n > 1) for (let pass = 0; pass < 2; pass++) free = reduceRows(search, free);
  for (const row of free) augment(search, row);
  const u = Float64Array.from(columns, (j, i) => (cost[i * n + j] as number) - (v[j] as number));
  return { columns, u, v };
}
