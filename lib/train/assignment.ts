/**
 * Which noise goes to which row: the assignment of the least cost. Jonker and Volgenant 1987, "A Shortest Augmenting Path
 * Algorithm for Dense and Sparse Linear Assignment Problems", in the form that adds one row at a time: O(n³).
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

/**
 * @param cost [n, n], finite, row by row
 * @returns the permutation of least Σ cost, exactly
 */
export function assign(cost: Float64Array): Assignment {
  const n = Math.round(Math.sqrt(cost.length));
  const u = new Float64Array(n);
  const v = new Float64Array(n);
  /** The row of each column, −1: none yet. */
  const rowOf = new Int32Array(n).fill(-1);
  const columns = new Int32Array(n).fill(-1);
  const distance = new Float64Array(n);
  const before = new Int32Array(n);
  const done = new Uint8Array(n);
  for (let start = 0; start < n; start++) {
    // Shortest path in reduced costs from the new row to a column that is free (Dijkstra).
    distance.fill(Number.POSITIVE_INFINITY);
    done.fill(0);
    let [row, column, reached] = [start, -1, 0];
    for (;;) {
      let nearest = Number.POSITIVE_INFINITY;
      let next = -1;
      const base = row * n;
      const offset = reached - (u[row] as number);
      for (let j = 0; j < n; j++) {
        if (done[j]) continue;
        const through = offset + (cost[base + j] as number) - (v[j] as number);
        if (through < (distance[j] as number)) {
          distance[j] = through;
          before[j] = row;
        }
        if ((distance[j] as number) < nearest) {
          nearest = distance[j] as number;
          next = j;
        }
      }
      reached = nearest;
      column = next;
      done[column] = 1;
      if (rowOf[column] === -1) break;
      row = rowOf[column] as number;
    }
    u[start] = (u[start] as number) + reached;
    for (let j = 0; j < n; j++) {
      if (!done[j] || j === column) continue;
      const slack = reached - (distance[j] as number);
      v[j] = (v[j] as number) - slack;
      const its = rowOf[j] as number;
      u[its] = (u[its] as number) + slack;
    }
    // Along the path back every row takes the column that led on from it.
    for (let j = column; ; ) {
      const its = before[j] as number;
      rowOf[j] = its;
      const had = columns[its] as number;
      columns[its] = j;
      if (its === start) break;
      j = had;
    }
  }
  return { columns, u, v };
}
